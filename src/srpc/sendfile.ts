/** sendfile(2) on the raw descriptor of a plain socket: an object's bytes go out without passing through this process. */
import { FFIType } from 'bun:ffi';
import type { Socket } from 'node:net';
import { openCLibrary } from '../c-library.ts';

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
export function descriptorOf(socket: Socket): number | undefined {
  const handle = (socket as unknown as { _handle?: { fd?: unknown } | null })._handle;
  return typeof handle?.fd === 'number' && handle.fd > 2 ? handle.fd : undefined;
}

/** Whether files can go out on this socket without being copied. */
export function canSendfile(socket: Socket): boolean {
  return send !== undefined && descriptorOf(socket) !== undefined;
}

/**
 * Sends as much as the socket takes now. Returns the bytes sent; 0 if the socket is full, the file has ended or this
 * cannot be done here: send an ordinary chunk then, which waits for the socket (or tells the error).
 */
export function trySendfile(socket: Socket, fd: number, offset: number, length: number): number {
  if (!send || socket.writableLength > 0) return 0;
  const out = descriptorOf(socket);
  if (out === undefined) return 0;
  return Math.max(send(out, fd, offset, length), 0);
}
