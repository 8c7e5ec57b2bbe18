/**
 * What systemd is told (sd_notify): the port is open, what goes on, that the event loop still turns (watchdog), that the
 * server stops. Datagrams on a socket of the file system, which Bun does not offer: three calls of the C library.
 */
import { FFIType, ptr } from 'bun:ffi';
import { openCLibrary } from '../c-library.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
/** No signal, and no wait for a manager that does not read. */
const FLAGS = 0x4000 | 0x40;
/** Longest path of a socket, bytes. */
const MAX_PATH = 107;

export interface ServiceManager {
  ready(status: string): void;
  status(text: string): void;
  stopping(): void;
}

function library() {
  const { i32, ptr: pointer, u64 } = FFIType;
  return openCLibrary({
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, pointer, u64, i32, pointer, i32], returns: FFIType.i64 },
  })?.symbols;
}

/** The address of a socket: family, path, and a 0 for the abstract ones (`@name`) in front, for others behind. */
function addressOf(path: string): Uint8Array {
  const bytes = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(2 + bytes.length);
  address.writeUInt16LE(AF_UNIX);
  bytes.copy(address, 2);
  return address;
}

/** Sends one message; false if it did not go. Undefined if there is nobody to send to. */
function sender(path: string): ((message: string) => boolean) | undefined {
  if (!/^[/@]/.test(path) || Buffer.byteLength(path) > MAX_PATH) return undefined;
  const calls = library();
  const fd = calls?.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) ?? -1;
  if (!calls || fd < 0) return undefined;
  const address = addressOf(path);
  return (message) => {
    const bytes = Buffer.from(message);
    return (
      calls.sendto(fd, ptr(bytes), bytes.length, FLAGS, ptr(address), address.length) === BigInt(bytes.length)
    );
  };
}

/** How often the watchdog wants to hear something, milliseconds; 0 = it does not. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment): number {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return 0;
  const interval = Number(WATCHDOG_USEC ?? 0) / 1000;
  return Number.isFinite(interval) ? Math.max(interval, 0) : 0;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `say`: told once if the manager cannot be reached. Without a manager nothing is done. */
export function serviceManager(environment: Environment, say: (text: string) => void): ServiceManager {
  const path = environment.NOTIFY_SOCKET ?? '';
  const send = path === '' ? undefined : sender(path);
  let complained = false;
  const tell = (...lines: string[]) => {
    if (path === '' || send?.(lines.join('\n')) || complained) return;
    complained = true;
    say(`The service manager cannot be told (NOTIFY_SOCKET=${path}): ${lines[0]}`);
  };
  return {
    ready(status) {
      tell('READY=1', `STATUS=${status}`);
      const interval = watchdogMs(environment);
      // A step of the event loop that takes longer than half of it is what the watchdog is for.
      if (interval > 0) setInterval(() => tell('WATCHDOG=1'), interval / 2).unref();
    },
    status: (text) => tell(`STATUS=${text}`),
    stopping: () => tell('STOPPING=1', 'STATUS=Calls under way are finished'),
  };
}
