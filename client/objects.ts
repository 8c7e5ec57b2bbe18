/** Objects: contents of files by their SHA-512. */
import { checkAnswer, ImageServerProblem } from './errors.ts';

/** Sends a request to the server; `path` begins with a slash. */
export type Send = (path: string, init?: RequestInit) => Promise<Response>;

export interface StoredObject {
  /** SHA-512, 128 lower-case hexadecimal digits. */
  readonly Hash: string;
  /** False if it was there already. */
  readonly Added: boolean;
}

export interface ReceivedObject {
  readonly hash: string;
  /** Undefined: the server does not have it. */
  readonly data: Uint8Array | undefined;
}

const HASH_BYTES = 64;
const HEAD_BYTES = 72;
const JSON_HEADERS = { 'content-type': 'application/json' };

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** SHA-512 of contents in memory. */
export async function hashOf(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-512', data)));
}

export class Objects {
  constructor(readonly send: Send) {}

  /**
   * Stores an object; a Blob (a file) is streamed. With `hash` the server checks that the contents have it, and with
   * `ifMissing` nothing is sent if they are there already.
   */
  async put(
    data: Uint8Array<ArrayBuffer> | Blob,
    options: { hash?: string; ifMissing?: boolean } = {},
  ): Promise<StoredObject> {
    const { hash, ifMissing } = options;
    if (hash === undefined) {
      const headers = { 'content-type': 'application/octet-stream' };
      return (await (
        await checkAnswer(await this.send('/objects', { method: 'POST', headers, body: data }))
      ).json()) as StoredObject;
    }
    const headers = ifMissing ? { 'if-none-match': '*' } : {};
    const response = await this.send(`/objects/${hash}`, { method: 'PUT', headers, body: data });
    if (ifMissing && response.status === 412) return { Hash: hash, Added: false };
    return (await (await checkAnswer(response)).json()) as StoredObject;
  }

  /**
   * Stores a large file in parts, and goes on where it was when the connection breaks. `onProgress` gets the bytes that
   * have arrived.
   */
  async putResumable(
    file: Blob,
    hash: string,
    options: { attempts?: number; onProgress?: (bytes: number) => void } = {},
  ): Promise<StoredObject> {
    const { attempts = 5, onProgress } = options;
    for (let attempt = 1; ; attempt++) {
      try {
        const head = await this.send(`/objects/${hash}`, { method: 'HEAD' });
        if (head.ok) return { Hash: hash, Added: false };
        const offset = Number(head.headers.get('upload-offset') ?? 0);
        onProgress?.(offset);
        const response = await this.send(`/objects/${hash}`, {
          method: 'PATCH',
          headers: {
            'content-type': 'application/partial-upload',
            'upload-offset': String(offset),
            'upload-length': String(file.size),
          },
          body: file.slice(offset),
        });
        const stored = (await (await checkAnswer(response)).json()) as StoredObject;
        onProgress?.(file.size);
        return stored;
      } catch (error) {
        const refused = error instanceof ImageServerProblem && error.status !== 409 && error.status < 500;
        if (refused || attempt === attempts) throw error;
      }
    }
  }

  /** The contents as an answer: a stream, its length, its type. `range` as in HTTP: `bytes=0-99`. */
  async get(hash: string, options: { range?: string } = {}): Promise<Response> {
    const headers = options.range ? { range: options.range } : {};
    return checkAnswer(await this.send(`/objects/${hash}`, { headers }));
  }

  /** Which of these the server does not have. */
  async missing(hashes: readonly string[]): Promise<string[]> {
    const body = JSON.stringify({ Hashes: hashes });
    const response = await this.send('/objects/query', { method: 'POST', headers: JSON_HEADERS, body });
    return ((await (await checkAnswer(response)).json()) as { Missing: string[] }).Missing;
  }

  /** Many objects in one answer, in the order asked for, each held in memory whole. Throws if the answer breaks off. */
  async *getMany(hashes: readonly string[]): AsyncGenerator<ReceivedObject> {
    const body = JSON.stringify({ Hashes: hashes });
    const response = await checkAnswer(
      await this.send('/objects/batch', { method: 'POST', headers: JSON_HEADERS, body }),
    );
    const reader = response.body?.getReader();
    let held = new Uint8Array(0);
    const take = async (length: number): Promise<Uint8Array> => {
      const parts = [held];
      let have = held.length;
      while (have < length) {
        const piece = await reader?.read();
        if (!piece || piece.done) throw new Error('the answer broke off');
        parts.push(piece.value);
        have += piece.value.length;
      }
      const all = new Uint8Array(have);
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      held = all.subarray(length);
      return all.subarray(0, length);
    };
    try {
      for (const _hash of hashes) {
        const head = await take(HEAD_BYTES);
        const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(HASH_BYTES));
        const hash = hex(head.subarray(0, HASH_BYTES));
        yield { hash, data: length > 0 ? await take(length) : undefined };
      }
    } finally {
      await reader?.cancel();
    }
  }
}
