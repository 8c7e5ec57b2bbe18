/** AddObjects and GetObjects for callers that speak JSON: a channel whose raw bytes are base64 inside the messages. */
import { ImageServerError } from '../../errors.ts';
import type { Call, Channel, ChannelMethod } from '../../methods/method.ts';
import type { Services } from '../../methods/services.ts';
import type { ObjectReader } from '../../store/types.ts';
import { toJson } from '../../wire/json.ts';
import {
  type AddObjectRequest,
  type AddObjectResponse,
  GetObjectsRequest,
  type GetObjectsResponse,
} from '../../wire/messages/objectserver.ts';
import type { Schema, ValueOf } from '../../wire/schema.ts';
import { readObject } from '../objects/object-chunks.ts';
import { decodeParameters } from './decode.ts';
import { AddObjectsBody, AddObjectsReply, GetObjectsReply } from './object-messages.ts';

/** Most bytes of objects in one reply; more is for `/objects/batch`, which streams. */
const MAX_REPLY = 32 * 1024 * 1024;

abstract class MessageChannel implements Channel {
  abstract receive<S extends Schema>(schema: S): Promise<ValueOf<S> | undefined>;
  abstract send<S extends Schema>(schema: S, value: ValueOf<S>): void;
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    yield await this.take(length);
  }
  take(_length: number): Promise<Uint8Array> {
    throw new ImageServerError('INTERNAL', 'this call takes no raw bytes');
  }
  write(_data: Uint8Array): void {
    throw new ImageServerError('INTERNAL', 'this call sends no raw bytes');
  }
  sendObject(_object: ObjectReader): Promise<void> {
    throw new ImageServerError('INTERNAL', 'this call sends no objects');
  }
  async flush(): Promise<void> {}
}

class AddObjectsChannel extends MessageChannel {
  readonly responses: ValueOf<typeof AddObjectResponse>[] = [];
  #next = 0;

  constructor(readonly objects: ValueOf<typeof AddObjectsBody>['Objects']) {
    super();
  }
  async receive<S extends Schema>(_schema: S): Promise<ValueOf<S> | undefined> {
    const object = this.objects[this.#next++];
    const request: AddObjectRequest = object
      ? { Length: BigInt(object.Data.length), ExpectedHash: object.ExpectedHash }
      : { Length: 0n, ExpectedHash: null };
    return request as ValueOf<S>;
  }
  override async take(_length: number): Promise<Uint8Array> {
    return this.objects[this.#next - 1]?.Data ?? new Uint8Array(0);
  }
  send<S extends Schema>(_schema: S, value: ValueOf<S>): void {
    this.responses.push(value as ValueOf<typeof AddObjectResponse>);
  }
}

class GetObjectsChannel extends MessageChannel {
  reply: ValueOf<typeof GetObjectsResponse> = { ResponseString: '', ObjectSizes: [] };
  readonly objects: Uint8Array[] = [];

  constructor(readonly request: ValueOf<typeof GetObjectsRequest>) {
    super();
  }
  async receive<S extends Schema>(_schema: S): Promise<ValueOf<S> | undefined> {
    return this.request as ValueOf<S>;
  }
  send<S extends Schema>(_schema: S, value: ValueOf<S>): void {
    this.reply = value as ValueOf<typeof GetObjectsResponse>;
    const total = this.reply.ObjectSizes.reduce((sum, size) => sum + size, 0n);
    if (this.reply.ResponseString === '' && total > MAX_REPLY)
      throw new ImageServerError(
        'TOO_LARGE',
        `objects of ${total} bytes, above ${MAX_REPLY} as JSON; use POST /objects/batch`,
      );
  }
  override async sendObject(object: ObjectReader): Promise<void> {
    this.objects.push(await readObject(object));
  }
}

/** AddObjects from JSON text to JSON text. */
export async function addObjectsJson(
  method: ChannelMethod,
  services: Services,
  text: string,
  call: Call,
): Promise<string> {
  const { Objects } = decodeParameters(AddObjectsBody, text);
  if (Objects.some(({ Data }) => Data.length === 0))
    throw new ImageServerError('INVALID_REQUEST', 'Objects: Data must not be empty');
  const channel = new AddObjectsChannel(Objects);
  await method.handle(services, channel, call);
  return toJson(AddObjectsReply, { Responses: channel.responses });
}

/** GetObjects from JSON text to JSON text. */
export async function getObjectsJson(
  method: ChannelMethod,
  services: Services,
  text: string,
  call: Call,
): Promise<string> {
  const channel = new GetObjectsChannel(decodeParameters(GetObjectsRequest, text));
  await method.handle(services, channel, call);
  return toJson(GetObjectsReply, { ...channel.reply, Objects: channel.objects });
}
