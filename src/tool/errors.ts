/** How failures are told on stderr: system errors in the words of Go, prefixes as in the original. */
import { asImageServerError, type ErrorCode, ImageServerError } from '../errors.ts';

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'file name too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  EPIPE: 'broken pipe',
};

const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'ACCESS_DENIED',
  EEXIST: 'CONFLICT',
  ENOENT: 'FILE_NOT_FOUND',
  ENOSPC: 'NO_SPACE',
  EPERM: 'ACCESS_DENIED',
};

/** A failure with its own beginning in place of the command's: `Error ` and then the whole text. */
export class Failure extends ImageServerError {}

/** A failure whose text stands alone: what is wrong with the certificates is no fault of the command. */
export class Verbatim extends ImageServerError {}

/** A system error in our form, with the text of what failed before that of the system; undefined for other errors. */
export function systemError(thrown: unknown, doing: string): ImageServerError | undefined {
  const { code, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
  if (typeof code !== 'string' || syscall === undefined) return undefined;
  return new ImageServerError(CODES[code] ?? 'INTERNAL', `${doing}: ${TEXTS[code] ?? code}`, {
    cause: thrown,
  });
}

/** Whatever was thrown as an error of ours, its message fit for people: `open FILE: no such file or directory`. */
export function toolError(thrown: unknown): ImageServerError {
  if (thrown instanceof ImageServerError) return thrown;
  const { syscall, path, dest } = (thrown ?? {}) as NodeJS.ErrnoException & { dest?: unknown };
  const names = [path, dest].filter((name) => name !== undefined).map(String);
  const known = systemError(thrown, [syscall, ...names].join(' '));
  if (known) return known;
  const error = asImageServerError(thrown);
  if (error.code !== 'INTERNAL') return error;
  const { cause } = error;
  return new ImageServerError('INTERNAL', cause instanceof Error ? cause.message : String(cause), { cause });
}

/** Runs `work`; its failures get a text in front. */
export async function prefixed<T>(prefix: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = toolError(thrown);
    if (error instanceof Failure || error instanceof Verbatim) throw error;
    throw new ImageServerError(error.code, `${prefix}${error.message}`, { cause: thrown });
  }
}
