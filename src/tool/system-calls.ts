/** System calls that the runtime does not offer: device nodes and times with nanoseconds. */
import { dlopen, FFIType, type Pointer, ptr } from 'bun:ffi';
import { ImageServerError } from '../errors.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

function load() {
  return dlopen('libc.so.6', {
    mknod: { args: [FFIType.ptr, FFIType.u32, FFIType.u64], returns: FFIType.i32 },
    utimensat: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
  }).symbols;
}
let libc: ReturnType<typeof load> | undefined;

function pathPointer(path: Uint8Array): { bytes: Uint8Array; pointer: Pointer } {
  const bytes = Buffer.concat([path, Buffer.alloc(1)]);
  return { bytes, pointer: ptr(bytes) };
}

/** Makes a device node or fifo; `rdev` in Linux's form (st_rdev). */
export function makeNode(path: Uint8Array, mode: number, rdev: bigint): void {
  libc ??= load();
  const { pointer } = pathPointer(path);
  if (libc.mknod(pointer, mode, rdev) !== 0)
    throw new ImageServerError('INTERNAL', `mknod ${Buffer.from(path).toString()}: operation not permitted`);
}

/** Sets the modification (and access) time without following a symbolic link. */
export function setTime(path: Uint8Array, seconds: bigint, nanoseconds: number): void {
  libc ??= load();
  const times = new BigInt64Array([seconds, BigInt(nanoseconds), seconds, BigInt(nanoseconds)]);
  const { pointer } = pathPointer(path);
  if (libc.utimensat(AT_FDCWD, pointer, ptr(times), AT_SYMLINK_NOFOLLOW) !== 0)
    throw new ImageServerError('INTERNAL', `cannot set the time of ${Buffer.from(path).toString()}`);
}
