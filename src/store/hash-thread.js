/** The thread that hashes big contents, see stream-hash.ts: slices in shared memory come in, one message tells each is done. */
import { linkSymbols } from 'bun:ffi';

const STATE_BYTES = 256;
const DIGEST_BYTES = 64;

/** As makeSha512 of sha512.ts, from the addresses of the functions; undefined: the runtime's. */
function hashing(pointers) {
  if (!pointers) {
    let hasher = new Bun.CryptoHasher('sha512');
    return {
      update: (bytes) => hasher.update(bytes),
      digest() {
        const hash = hasher.digest('hex');
        hasher = new Bun.CryptoHasher('sha512');
        return hash;
      },
    };
  }
  const { symbols } = linkSymbols({
    SHA512_Init: { args: ['ptr'], returns: 'i32', ptr: pointers.SHA512_Init },
    SHA512_Update: { args: ['ptr', 'ptr', 'u64'], returns: 'i32', ptr: pointers.SHA512_Update },
    SHA512_Final: { args: ['ptr', 'ptr'], returns: 'i32', ptr: pointers.SHA512_Final },
  });
  const state = new Uint8Array(STATE_BYTES);
  const digest = Buffer.alloc(DIGEST_BYTES);
  symbols.SHA512_Init(state);
  return {
    update: (bytes) => symbols.SHA512_Update(state, bytes, bytes.length),
    digest() {
      symbols.SHA512_Final(digest, state);
      symbols.SHA512_Init(state);
      return digest.toString('hex');
    },
  };
}

let shared;
let hasher;

self.onmessage = ({ data }) => {
  if (data === 'digest') postMessage(hasher.digest());
  else if (Array.isArray(data)) {
    hasher.update(new Uint8Array(shared, data[0], data[1]));
    postMessage('');
  } else {
    shared = data.shared;
    hasher = hashing(data.pointers);
  }
};
