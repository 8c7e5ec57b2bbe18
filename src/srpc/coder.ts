/** The two coders of SRPC. A fresh one serves each call, in each direction; making one costs next to nothing. */
import { ImageServerError } from '../errors.ts';
import { type EncodedImage, encodeImage, readImageUpload } from '../wire/encoded-image.ts';
import { GobDecoder } from '../wire/gob/decoder.ts';
import { GobEncoder } from '../wire/gob/encoder.ts';
import { fromGoJson, toGoJson } from '../wire/json.ts';
import { AddImageRequest } from '../wire/messages/imageserver.ts';
import type { Schema, ValueOf } from '../wire/schema.ts';
import type { SocketReader } from './reader.ts';

export type CoderName = 'gob' | 'json';

/** Longest JSON value, bytes. */
const MAX_JSON = 64 * 1024 * 1024;

export interface Coder {
  readonly name: CoderName;
  /** The next value; undefined if the peer closed between values. Answers at once if it is here already. */
  receive<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined>;
  encode<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array;
  receiveImage(): Promise<{ ImageName: string; image: EncodedImage | null }>;
}

class GobCoder implements Coder {
  readonly name = 'gob';
  readonly #reader: SocketReader;
  #decoder: GobDecoder | undefined;
  #encoder: GobEncoder | undefined;

  constructor(reader: SocketReader) {
    this.#reader = reader;
  }
  receive<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined> {
    this.#decoder ??= new GobDecoder(this.#reader);
    return this.#decoder.decode(schema);
  }
  encode<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
    this.#encoder ??= new GobEncoder();
    return this.#encoder.encode(schema, value);
  }
  receiveImage(): Promise<{ ImageName: string; image: EncodedImage | null }> {
    return readImageUpload(this.#reader);
  }
}

class JsonCoder implements Coder {
  readonly name = 'json';
  readonly #reader: SocketReader;

  constructor(reader: SocketReader) {
    this.#reader = reader;
  }
  async receive<S extends Schema>(schema: S): Promise<ValueOf<S> | undefined> {
    const text = await this.#reader.json(MAX_JSON);
    return text === undefined ? undefined : (fromGoJson(schema, text) as ValueOf<S>);
  }
  encode<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
    return Buffer.from(`${toGoJson(schema, value)}\n`, 'utf8');
  }
  async receiveImage(): Promise<{ ImageName: string; image: EncodedImage | null }> {
    const request = await this.receive(AddImageRequest);
    if (!request) throw new ImageServerError('INVALID_REQUEST', 'EOF');
    return { ImageName: request.ImageName, image: request.Image ? encodeImage(request.Image) : null };
  }
}

export function makeCoder(name: CoderName, reader: SocketReader): Coder {
  return name === 'gob' ? new GobCoder(reader) : new JsonCoder(reader);
}
