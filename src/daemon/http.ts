/** The daemon's side of HTTP: the second listener, the names of this server, the access log. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LineQueue } from '../access/line-queue.ts';
import { rotatedFile } from '../access/rotated-file.ts';
import { booleanFlag, type FlagValues, flag, stringFlag, uintFlag } from '../flags/flags.ts';
import type { AccessRecord, HttpDeps } from '../http/deps.ts';
import { listenPublic, type PublicListener } from '../http/public.ts';

export const HTTP_FLAGS = {
  httpPortNum: flag(
    uintFlag,
    0,
    'Second HTTP port for mass downloads, without TLS: anonymous and read-only, whatever the first port asks for; 0 = none',
  ),
  httpHostNames: flag(
    stringFlag,
    '',
    'Names, separated by commas, by which browsers may call this server over plain HTTP, beside localhost, addresses and the name of the machine',
  ),
  httpAccessLog: flag(
    booleanFlag,
    false,
    'Write a line for each HTTP request into access.log in the log directory (ten files of 64 MiB)',
  ),
} as const;
type HttpFlags = FlagValues<typeof HTTP_FLAGS> & { readonly logDir: string; readonly listenAddress: string };

/** The names under which browsers may come; the machine's own in its long and its short form. */
export function ownHostNames(flags: HttpFlags): ReadonlySet<string> {
  const machine = hostname().toLowerCase();
  const given = flags.httpHostNames.split(',').map((name) => name.trim().toLowerCase());
  return new Set([machine, machine.split('.', 1)[0] ?? '', ...given].filter((name) => name !== ''));
}

/** Lines that may wait for a slow disk: a second of the most requests that are answered. */
const MAX_WAITING = 50_000;

function lineOf(record: AccessRecord): string {
  const { peer, user, method, path, status, bytes, milliseconds, id } = record;
  const who = user === '' ? '-' : JSON.stringify(user);
  return `${new Date().toISOString()} ${peer} ${who} ${method} ${path} ${status} ${bytes ?? '-'} ${milliseconds.toFixed(1)}ms ${id}`;
}

export interface AccessLog {
  readonly write: (record: AccessRecord) => void;
  close(): Promise<void>;
}

/** Undefined if it is not asked for or there is no log directory. */
export function openAccessLog(flags: HttpFlags, log: (line: string) => void): AccessLog | undefined {
  if (!flags.httpAccessLog || flags.logDir === '') return undefined;
  const lines = new LineQueue({
    name: 'ACCESS LOG',
    write: rotatedFile({ path: join(flags.logDir, 'access.log') }),
    log,
    maxWaiting: MAX_WAITING,
  });
  return { write: (record) => lines.add(lineOf(record)), close: () => lines.flush() };
}

/** The second listener, if it is asked for. Throws the system's error if the port cannot be had. */
export function openPublic(
  deps: HttpDeps,
  flags: HttpFlags,
  log: (line: string) => void,
): PublicListener | undefined {
  if (flags.httpPortNum === 0) return undefined;
  const listener = listenPublic(deps, flags.listenAddress, flags.httpPortNum);
  log(`public listener on port ${listener.port}: everybody may read images and objects there`);
  return listener;
}
