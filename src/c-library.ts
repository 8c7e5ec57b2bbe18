import { dlopen, type FFIFunction } from 'bun:ffi';

/** Names under which the C library may be found: which one exists depends on the distribution. */
const C_LIBRARIES = [
  'libc.so.6',
  'libc.so',
  `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`,
] as const;

/** These functions of the C library, and its name; undefined where it cannot be loaded or lacks one of them. */
export function openCLibrary<Fns extends Record<string, FFIFunction>>(functions: Fns) {
  for (const name of C_LIBRARIES) {
    try {
      const library = dlopen(name, functions);
      return { name, symbols: library.symbols, close: () => library.close() };
    } catch {
      // The next name may do.
    }
  }
  return undefined;
}

/** The name of the C library, for a thread that opens it itself, if it has these functions. */
export function cLibraryWith(functions: Record<string, FFIFunction>): string | undefined {
  const library = openCLibrary(functions);
  library?.close();
  return library?.name;
}
