/** Names under which the C library may be found: which one exists depends on the distribution. */
export const C_LIBRARIES = [
  'libc.so.6',
  'libc.so',
  `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`,
] as const;
