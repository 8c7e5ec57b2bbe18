/** Logs for tests and benches that need none. */
import type { RemoteLog } from './services.ts';

export const NO_REMOTE_LOG: RemoteLog = {
  debug: () => undefined,
  setLevel: () => undefined,
  subscribe: () => () => undefined,
  listeners: 0,
};
