/**
 * The second listener: anonymous and read-only, for mass downloads. Bun's own server with the same plugins; off unless
 * asked for.
 */
import { Elysia } from 'elysia';
import type { HttpDeps } from './deps.ts';
import { entrance } from './entrance.ts';
import { errors } from './errors.ts';
import { health } from './health.ts';
import { directories } from './images/directories.ts';
import { images } from './images/images.ts';
import { getObject } from './objects/get-object.ts';
import { manyObjects } from './objects/many-objects.ts';
import { SmallObjects } from './objects/small-objects.ts';
import { shortcut } from './shortcut.ts';

/** Requests are lists of hashes at most, bytes. */
const MAX_BODY = 32 * 1024 * 1024;
/** A connection that nothing moves on is closed, seconds. */
const IDLE_SECONDS = 120;

/** The reads that need no identity with -allowUnauthenticatedReads, whatever the main port asks for. */
function createPublicApp(deps: HttpDeps): Elysia {
  const open: HttpDeps = {
    ...deps,
    decide: (_identity, method) => ({
      allowed: method.unauthenticatedRead && !method.mutates,
      methodAccess: false,
      reason: 'public listener',
    }),
  };
  return new Elysia({ name: 'imageserver-public', systemRouter: false })
    .use(entrance(open, { isPage: () => false, shortcut: shortcut(open, new SmallObjects()) }))
    .use(errors(open))
    .use(manyObjects(open))
    .use(getObject(open))
    .use(images(open))
    .use(directories(open))
    .use(health(open)) as unknown as Elysia;
}

export interface PublicListener {
  readonly port: number;
  /** Stops accepting; what is under way is cut when `deadlineMs` are over. */
  close(deadlineMs: number): Promise<void>;
}

/** Listens. Throws the system's error if it cannot; port 0 = any free one. */
export function listenPublic(deps: HttpDeps, host: string, port: number): PublicListener {
  const app = createPublicApp(deps);
  // Not `app.listen`: that hands the runtime a handler for each route, which costs more than the application's own.
  const server = Bun.serve({
    hostname: host,
    port,
    development: false,
    reusePort: false,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_BODY,
    fetch: app.fetch,
  });
  // Who asks is known by it.
  app.server = server;
  return {
    port: server.port ?? port,
    async close(deadlineMs) {
      const cut = setTimeout(() => void server.stop(true), deadlineMs);
      await server.stop();
      clearTimeout(cut);
    },
  };
}
