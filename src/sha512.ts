/**
 * SHA-512, which is most of what an upload, a download and a check of stored objects cost. OpenSSL's code for it needs a
 * quarter less of the processor than the runtime's, so it is used where the system has that library; the runtime's else.
 */
import { dlopen, FFIType, type Pointer } from 'bun:ffi';

export interface Sha512 {
  update(bytes: Uint8Array): unknown;
  /** 64 bytes. Nothing may be done with it afterwards. */
  digest(): Buffer;
}

/** Its names differ with the version only; the functions and the size of the state have not changed since the first. */
const LIBRARIES = ['libcrypto.so.3', 'libcrypto.so.1.1'] as const;
/** SHA512_CTX has 216 bytes. */
const STATE_BYTES = 256;
const DIGEST_BYTES = 64;

const FUNCTIONS = {
  SHA512_Init: { args: [FFIType.ptr], returns: FFIType.i32 },
  SHA512_Update: { args: [FFIType.ptr, FFIType.ptr, FFIType.u64], returns: FFIType.i32 },
  SHA512_Final: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
} as const;

function load() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  for (const name of LIBRARIES)
    try {
      const { symbols } = dlopen(name, FUNCTIONS);
      return isSound(symbols) ? symbols : undefined;
    } catch {
      // The next name may do; the runtime's code always does.
    }
  return undefined;
}

type Functions = ReturnType<typeof dlopen<typeof FUNCTIONS>>['symbols'];

/** Whether it comes to the same as the runtime's, over more than one block and in uneven pieces. */
function isSound(functions: Functions): boolean {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 7);
  const hasher = new SystemSha512(functions);
  for (let at = 0; at < bytes.length; at += 301) hasher.update(bytes.subarray(at, at + 301));
  return hasher.digest().toString('hex') === Bun.CryptoHasher.hash('sha512', bytes, 'hex');
}

class SystemSha512 implements Sha512 {
  readonly #functions: Functions;
  readonly #state = new Uint8Array(STATE_BYTES);

  constructor(functions: Functions) {
    this.#functions = functions;
    functions.SHA512_Init(this.#state);
  }

  update(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#functions.SHA512_Update(this.#state, bytes, bytes.length);
  }

  digest(): Buffer {
    const digest = Buffer.allocUnsafeSlow(DIGEST_BYTES);
    this.#functions.SHA512_Final(digest, this.#state);
    return digest;
  }
}

let functions: Functions | undefined;
let looked = false;

/** The library is only opened by whoever hashes. */
function systemFunctions(): Functions | undefined {
  if (looked) return functions;
  looked = true;
  functions = load();
  return functions;
}

/** For contents that come in pieces. */
export function makeSha512(): Sha512 {
  const system = systemFunctions();
  return system ? new SystemSha512(system) : (new Bun.CryptoHasher('sha512') as Sha512);
}

/** Of contents that are here. */
export function digestOf(bytes: Uint8Array): Buffer {
  const hasher = makeSha512();
  hasher.update(bytes);
  return hasher.digest();
}
export function sha512Hex(bytes: Uint8Array): string {
  return digestOf(bytes).toString('hex');
}

/** Where the functions are in this process, for a thread that cannot import this; undefined: the runtime's are to be used. */
export function sha512Pointers(): Record<keyof typeof FUNCTIONS, Pointer> | undefined {
  const system = systemFunctions();
  if (!system) return undefined;
  const pointerOf = (name: keyof typeof FUNCTIONS) => (system[name] as unknown as { ptr: Pointer }).ptr;
  return {
    SHA512_Init: pointerOf('SHA512_Init'),
    SHA512_Update: pointerOf('SHA512_Update'),
    SHA512_Final: pointerOf('SHA512_Final'),
  };
}
