/** Servers to compare with, each its own process: `bun bench/http-server.ts public IMAGES OBJECTS`, or `bare FILE SMALL`. */
import { decide } from '../src/access/decision.ts';
import { listenPublic } from '../src/http/public.ts';
import { NO_REMOTE_LOG } from '../src/methods/remote-log-fixture.ts';
import type { Services } from '../src/methods/services.ts';
import { openStores } from '../src/store/open.ts';

const [mode = '', first = '', second = ''] = process.argv.slice(2);

async function publicListener(imageDirectory: string, objectDirectory: string): Promise<number> {
  const stores = await openStores({ imageDirectory, objectDirectory, log: () => undefined });
  await stores.ready;
  const services: Services = {
    images: stores.images,
    objects: stores.objects,
    groupExists: () => false,
    now: Date.now,
    log: () => undefined,
    remoteLog: NO_REMOTE_LOG,
    master: undefined,
    replicated: () => Promise.resolve(),
    activity: { getObjects: 0, updateListeners: 0 },
  };
  const deps = {
    services,
    decide: (...[identity, method]: Parameters<typeof decide>) =>
      decide(identity, method, { allowUnauthenticatedReads: true }),
    insecure: true,
    hostNames: new Set<string>(),
    version: 'bench',
    readiness: () => ({ ready: true, reasons: [] }),
    startedAt: Date.now(),
    logLines: () => [],
  };
  return listenPublic(deps as never, '127.0.0.1', 0).port;
}

/** Bun's server with nothing around it. */
function bare(large: string, small: string): number {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) => {
      const path = url.slice(url.indexOf('/', 8));
      if (path === '/healthz') return new Response('OK\n');
      return new Response(Bun.file(path === '/large' ? large : small));
    },
  });
  return server.port ?? 0;
}

console.log(mode === 'public' ? await publicListener(first, second) : bare(first, second));
