/** Why the server does not start, in words that say what to do about it. */
import { asImageServerError } from '../errors.ts';
import type { DaemonFlags } from './flags.ts';

type Named = Pick<DaemonFlags, 'portNum' | 'listenAddress'>;

const INIT = '"imageserver init", as root, makes what a first installation needs';

/** Errors of the system calls that a start consists of; they name what failed. */
function ofSystem({ code, syscall, path, message }: NodeJS.ErrnoException, flags: Named): string {
  const { portNum, listenAddress } = flags;
  if (syscall === 'listen' || syscall === 'bind') {
    if (code === 'EADDRINUSE')
      return `port ${portNum} is in use by another program: stop it, or choose another port with -portNum`;
    if (code === 'EACCES')
      return `port ${portNum} needs rights that this user does not have: choose one above 1023 with -portNum`;
    if (code === 'EADDRNOTAVAIL')
      return `this machine has no address ${listenAddress}: give one of its own with -listenAddress`;
  }
  if ((code === 'EACCES' || code === 'EPERM') && path !== undefined)
    return `${path}: permission denied: give this user the directory (chown), or name others with -imageDir, -objectDir and -logDir; ${INIT}`;
  return message;
}

/** The text for a person; `thrown` is what startDaemon rejected with. */
export function startProblem(thrown: unknown, flags: Named): string {
  const error = asImageServerError(thrown);
  const { cause, message } = error;
  if (error.code === 'INTERNAL')
    return cause instanceof Error ? ofSystem(cause as NodeJS.ErrnoException, flags) : String(cause);
  // The first words are the original's.
  if (message.startsWith('Cannot stat: ')) return `${message}: make it, or name another; ${INIT}`;
  if (/^unable to load (keypair|CA)/.test(message))
    return `${message}: ${INIT}; with -permitInsecureMode the server starts without, and everybody may do everything`;
  return message;
}
