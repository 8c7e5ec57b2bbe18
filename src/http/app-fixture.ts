/** The application on real stores for tests, asked without a network. */
import { decide } from '../access/decision.ts';
import { type Identity, INSECURE, STRANGER } from '../access/identity.ts';
import { NO_REMOTE_LOG } from '../methods/remote-log-fixture.ts';
import type { Services } from '../methods/services.ts';
import { START, withPlace } from '../store/stores-fixture.ts';
import type { Stores } from '../store/types.ts';
import { createApp, createHandler } from './app.ts';
import type { AccessRecord, CallRecord, HttpDeps } from './deps.ts';

interface AskOptions extends RequestInit {
  readonly identity?: Identity;
  readonly secure?: boolean;
}

export interface TestApp {
  readonly stores: Stores;
  readonly deps: HttpDeps;
  readonly calls: CallRecord[];
  readonly accesses: AccessRecord[];
  readonly internalErrors: unknown[];
  readonly readiness: { ready: boolean; reasons: string[] };
  ask(path: string, options?: AskOptions): Promise<Response>;
  /** POST of JSON. */
  call(path: string, body: unknown, options?: AskOptions): Promise<Response>;
}

/** A caller with a certificate. */
export function somebody(user: string, methods: readonly string[], groups: readonly string[] = []): Identity {
  return { user, methods, groups: new Set(groups), authenticated: true };
}
export { STRANGER };

export async function withApp(
  run: (app: TestApp) => Promise<void>,
  options: { allowUnauthenticatedReads?: boolean; insecure?: boolean } = {},
): Promise<void> {
  await withPlace(async (place) => {
    const stores = await place.open();
    await stores.ready;
    const calls: CallRecord[] = [];
    const accesses: AccessRecord[] = [];
    const internalErrors: unknown[] = [];
    const readiness = { ready: true, reasons: [] as string[] };
    const services: Services = {
      images: stores.images,
      objects: stores.objects,
      groupExists: () => true,
      now: () => START,
      log: () => undefined,
      remoteLog: NO_REMOTE_LOG,
      master: undefined,
      replicated: () => Promise.resolve(),
      activity: { getObjects: 0, updateListeners: 0 },
    };
    const access = { allowUnauthenticatedReads: options.allowUnauthenticatedReads ?? false };
    const deps: HttpDeps = {
      services,
      decide: (identity, method) => decide(identity, method, access),
      insecure: options.insecure ?? true,
      hostNames: new Set(),
      version: '0.0.0-test',
      readiness: () => readiness,
      damages: () => stores.damages(),
      startedAt: START,
      logLines: () => ['a line with <b>markup</b>'],
      metrics: { contentType: 'text/plain', text: async () => 'imageserver_images 1\n' },
      onCall: (record) => calls.push(record),
      onAccess: (record) => accesses.push(record),
      onInternalError: (error) => internalErrors.push(error),
    };
    const handler = createHandler(createApp(deps));
    const ask: TestApp['ask'] = async (path, { identity, secure, ...init } = {}) => {
      // What every client on a network says by itself.
      const headers = new Headers(init.headers);
      if (typeof init.body === 'string' && !headers.has('content-length'))
        headers.set('content-length', String(Buffer.byteLength(init.body)));
      return handler(new Request(`http://imageserver.local${path}`, { ...init, headers }), {
        identity: identity ?? (deps.insecure ? INSECURE : STRANGER),
        peer: '192.0.2.1',
        secure: secure ?? identity !== undefined,
      });
    };
    const call: TestApp['call'] = (path, body, init = {}) =>
      ask(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
        headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
      });
    await run({ stores, deps, calls, accesses, internalErrors, readiness, ask, call });
  });
}
