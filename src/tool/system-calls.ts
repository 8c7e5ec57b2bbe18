/** System calls that the runtime does not offer: device nodes, times with nanoseconds, mounts. */
import { FFIType, read } from 'bun:ffi';
import { openCLibrary } from '../c-library.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const CLONE_NEWNS = 0x20000;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
const MNT_DETACH = 2;
const ERRORS: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  13: 'EACCES',
  16: 'EBUSY',
  17: 'EEXIST',
  20: 'ENOTDIR',
  22: 'EINVAL',
  28: 'ENOSPC',
  30: 'EROFS',
  36: 'ENAMETOOLONG',
};

function load() {
  const library = openCLibrary({
    mknod: { args: [FFIType.ptr, FFIType.u32, FFIType.u64], returns: FFIType.i32 },
    utimensat: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
    futimens: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    unshare: { args: [FFIType.i32], returns: FFIType.i32 },
    mount: {
      args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.u64, FFIType.ptr],
      returns: FFIType.i32,
    },
    umount2: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
    __errno_location: { args: [], returns: FFIType.ptr },
  });
  if (!library) throw new Error('the C library cannot be loaded: no device nodes, file times and mounts');
  return library.symbols;
}
let loaded: ReturnType<typeof load> | undefined;

function libc(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

/** What the runtime throws for a system call that failed. */
function failure(syscall: string, path: Uint8Array): Error {
  const location = libc().__errno_location();
  const errno = location === null ? 0 : read.i32(location);
  const code = ERRORS[errno] ?? `errno ${errno}`;
  return Object.assign(new Error(`${syscall}: ${code}`), {
    code,
    errno,
    syscall,
    path: Buffer.from(path).toString(),
  });
}

const NOTHING = new Uint8Array(0);
function cString(path: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(path.length + 1);
  bytes.set(path);
  return bytes;
}
const times = new BigInt64Array(4);
function setTimes(seconds: bigint, nanoseconds: number): BigInt64Array {
  times[0] = times[2] = seconds;
  times[1] = times[3] = BigInt(nanoseconds);
  return times;
}

/** Makes a device node or fifo; `rdev` in Linux's form (st_rdev). Throws a system error. */
export function makeNode(path: Uint8Array, mode: number, rdev: bigint): void {
  if (libc().mknod(cString(path), mode, rdev) !== 0) throw failure('mknod', path);
}

/** Sets modification and access time without following a symbolic link. Throws a system error. */
export function setTime(path: Uint8Array, seconds: bigint, nanoseconds: number): void {
  if (libc().utimensat(AT_FDCWD, cString(path), setTimes(seconds, nanoseconds), AT_SYMLINK_NOFOLLOW) !== 0)
    throw failure('utimensat', path);
}

/** Sets modification and access time of an open file. Throws a system error that names `path`. */
export function setFileTime(fd: number, path: Uint8Array, seconds: bigint, nanoseconds: number): void {
  if (libc().futimens(fd, setTimes(seconds, nanoseconds)) !== 0) throw failure('futimens', path);
}

/**
 * Gives the thread of JavaScript, and threads and processes that it starts later, mounts of its own: what is mounted from
 * now on is seen by nobody else. Throws a system error.
 */
export function unshareMounts(): void {
  if (libc().unshare(CLONE_NEWNS) !== 0) throw failure('unshare', NOTHING);
  const root = cString(Buffer.from('/'));
  if (libc().mount(cString(Buffer.from('none')), root, cString(NOTHING), MS_REC | MS_PRIVATE, null) !== 0)
    throw failure('mount', Buffer.from('/'));
}

/** Makes a directory visible at another place, without what is mounted below it. Throws a system error. */
export function bindMount(source: Uint8Array, target: Uint8Array): void {
  if (libc().mount(cString(source), cString(target), cString(NOTHING), MS_BIND, null) !== 0)
    throw failure('mount', source);
}

/** Takes a mount away, at once. Throws a system error. */
export function unmount(target: Uint8Array): void {
  if (libc().umount2(cString(target), MNT_DETACH) !== 0) throw failure('umount2', target);
}
