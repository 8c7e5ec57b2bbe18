/** sendfile(2) on the raw descriptor of a plain socket: an object's bytes go out without passing through this process. */
import { FFIType } from 'bun:ffi';
import { openCLibrary } from '../c-library.ts';
import type { PeerSocket } from './peer-socket.ts';

type Send = (out: number, fd: number, offset: number, count: number) => number;

function load(): Send | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = openCLibrary({
    sendfile: { args: [FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64_fast },
  });
  // Without it there is always the ordinary way.
  if (!library) return undefined;
  const { sendfile } = library.symbols;
  const offsets = new BigInt64Array(1);
  return (out, fd, offset, count) => {
    offsets[0] = BigInt(offset);
    return Number(sendfile(out, fd, offsets, count));
  };
}

const send = load();

/** Descriptor of a plain socket, or undefined if the runtime does not show it. */
export function descriptorOf(socket: PeerSocket): number | undefined {
  // Sockets of node:net keep theirs to themselves.
  const { descriptor, _handle } = socket as { descriptor?: unknown; _handle?: { fd?: unknown } | null };
  const fd = descriptor ?? _handle?.fd;
  return typeof fd === 'number' && fd > 2 ? fd : undefined;
}

/** Whether files can go out on this socket without being copied. */
export function canSendfile(socket: PeerSocket): boolean {
  return send !== undefined && descriptorOf(socket) !== undefined;
}

/**
 * Sends as much as the socket takes now. Returns the bytes sent; 0 if the socket is full, the file has ended or this
 * cannot be done here: send an ordinary chunk then, which waits for the socket (or tells the error).
 */
export function trySendfile(socket: PeerSocket, fd: number, offset: number, length: number): number {
  if (!send || socket.writableLength > 0) return 0;
  const out = descriptorOf(socket);
  if (out === undefined) return 0;
  return Math.max(send(out, fd, offset, length), 0);
}
