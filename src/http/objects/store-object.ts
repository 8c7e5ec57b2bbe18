/**
 * One object from HTTP into the store. On a replica it takes the way of AddObjects, so that the master has it first.
 */
import { ImageServerError } from '../../errors.ts';
import { addObjects } from '../../methods/add-objects.ts';
import type { Call, Channel } from '../../methods/method.ts';
import type { Services } from '../../methods/services.ts';
import type { Hash, PutResult } from '../../store/types.ts';
import type { AddObjectRequest, AddObjectResponse } from '../../wire/messages/objectserver.ts';
import type { Schema, ValueOf } from '../../wire/schema.ts';
import { objectChunks } from './object-chunks.ts';

export interface IncomingObject {
  /** Bytes: exactly so many must come. Undefined: as many as come. */
  readonly length: number | undefined;
  readonly expected: Hash | undefined;
  readonly data: AsyncIterable<Uint8Array>;
}
export type SizedObject = IncomingObject & { readonly length: number };

/** AddObjects' view of one object. */
class OneObjectChannel implements Channel {
  response: AddObjectResponse | undefined;
  #asked = false;
  constructor(readonly object: SizedObject) {}

  async receive<S extends Schema>(_schema: S): Promise<ValueOf<S> | undefined> {
    const request: AddObjectRequest = this.#asked
      ? { Length: 0n, ExpectedHash: null }
      : { Length: BigInt(this.object.length), ExpectedHash: this.object.expected ?? null };
    this.#asked = true;
    return request as ValueOf<S>;
  }
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    for await (const chunk of this.object.data) {
      left -= chunk.length;
      if (left < 0) break;
      yield chunk;
    }
    if (left !== 0) throw new ImageServerError('INVALID_REQUEST', 'unexpected EOF');
  }
  async take(length: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.bytes(length)) chunks.push(chunk.slice());
    return Buffer.concat(chunks);
  }
  send<S extends Schema>(_schema: S, value: ValueOf<S>): void {
    this.response = value as AddObjectResponse;
  }
  write(): void {
    throw new ImageServerError('INTERNAL', 'AddObjects writes no raw bytes');
  }
  sendObject(): Promise<void> {
    throw new ImageServerError('INTERNAL', 'AddObjects sends no objects');
  }
  async flush(): Promise<void> {}
}

/** The master's texts as codes. */
function codeOf(text: string): ImageServerError {
  if (text.startsWith('hash mismatch')) return new ImageServerError('HASH_MISMATCH', text);
  if (text.startsWith('collision')) return new ImageServerError('COLLISION', text);
  if (text.includes('no space left')) return new ImageServerError('NO_SPACE', text);
  return new ImageServerError('UNAVAILABLE', text);
}

/** By way of the master, which wants to know the length. */
async function storeAtMaster(services: Services, call: Call, object: SizedObject): Promise<PutResult> {
  const channel = new OneObjectChannel(object);
  await addObjects.handle(services, channel, call);
  if (!channel.response) throw new ImageServerError('UNAVAILABLE', 'the master gave no answer');
  const { ErrorString, Hash, Added } = channel.response;
  if (ErrorString) throw codeOf(ErrorString);
  return { hash: Hash, added: Added };
}

/**
 * Stores one object durably. Throws HASH_MISMATCH, COLLISION, NO_SPACE, TOO_LARGE, INVALID_REQUEST, CANCELLED, and on a
 * replica UNAVAILABLE with the master's text.
 */
export async function storeObject(
  services: Services,
  call: Call,
  object: IncomingObject,
): Promise<PutResult> {
  const { length, ...rest } = object;
  if (services.master && length !== undefined) return storeAtMaster(services, call, { ...rest, length });
  const upload = services.objects.upload();
  try {
    const result = await upload.put(object);
    if (!services.master) {
      await upload.commit();
      return result;
    }
    // Staged here only to be measured.
    const { hash } = result;
    const staged = upload.open(hash);
    try {
      const data = objectChunks(staged);
      return await storeAtMaster(services, call, { length: staged.size, expected: hash, data });
    } finally {
      staged.close();
    }
  } finally {
    upload.close();
  }
}
