import { asImageServerError, errorLine } from '../errors.ts';
import type { ObjectUpload } from '../store/types.ts';
import {
  type AddObjectRequest,
  type AddObjectResponse,
  AddObjectRequest as Request,
  AddObjectResponse as Response,
} from '../wire/messages/objectserver.ts';
import type { Channel, ChannelMethod } from './method.ts';

/** Objects up to this size are taken from the connection in one piece, bytes. */
const WHOLE = 256 * 1024;
/** A group commit is made when this many objects or bytes are waiting for one, and at the end of the call. */
const GROUP_OBJECTS = 1000;
const GROUP_BYTES = 64 * 1024 * 1024;
const NO_HASH = '0'.repeat(128);

/** Hands chunks on and, when the store stops reading early, still takes the rest so that the connection stays usable. */
class Remaining implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #finished = false;

  constructor(channel: Channel, length: number) {
    this.#chunks = channel.bytes(length)[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() };
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const result = await this.#chunks.next();
    if (result.done) this.#finished = true;
    return result;
  }

  async drain(): Promise<void> {
    while (!this.#finished) await this.#next();
  }
}

async function putOne(
  channel: Channel,
  upload: ObjectUpload,
  request: AddObjectRequest,
): Promise<AddObjectResponse> {
  const length = Number(request.Length);
  const expected = request.ExpectedHash ?? undefined;
  const rest = length > WHOLE ? new Remaining(channel, length) : undefined;
  const data = rest ?? (await channel.take(length));
  try {
    const { hash, added } = await upload.put({ length, expected, data });
    return { ErrorString: '', Hash: hash, Added: added };
  } catch (thrown) {
    await rest?.drain();
    return { ErrorString: errorLine(asImageServerError(thrown)), Hash: NO_HASH, Added: false };
  }
}

export const addObjects: ChannelMethod = {
  shape: 'channel',
  name: 'ObjectServer.AddObjects',
  summary: 'Stores objects; each is hashed as it arrives and durable when its answer comes.',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: Request,
  reply: Response,
  async handle(services, channel, call) {
    if (services.master) return services.master.injectObjects(services, channel, call);
    services.log(`AddObjects(${call.peer}) starting`);
    const upload = services.objects.upload();
    let waiting: AddObjectResponse[] = [];
    let waitingBytes = 0;
    let objects = 0;
    let added = 0;
    const answer = async () => {
      const group = waiting;
      waiting = [];
      waitingBytes = 0;
      let failure = '';
      try {
        await upload.commit();
      } catch (thrown) {
        failure = errorLine(asImageServerError(thrown));
      }
      for (const response of group) {
        if (failure && !response.ErrorString)
          await channel.send(Response, { ErrorString: failure, Hash: response.Hash, Added: false });
        else await channel.send(Response, response);
      }
      await channel.flush();
    };
    try {
      for (;;) {
        const request = await channel.receive(Request);
        if (!request || request.Length === 0n) break;
        const response = await putOne(channel, upload, request);
        objects++;
        if (response.Added) added++;
        waiting.push(response);
        waitingBytes += Number(request.Length);
        // An error is told at once: clients stop sending when they see one.
        if (response.ErrorString || waiting.length >= GROUP_OBJECTS || waitingBytes >= GROUP_BYTES)
          await answer();
      }
      await answer();
      services.log(`AddObjects(): ${added} of ${objects} are new objects`);
    } catch (thrown) {
      services.log(
        `AddObjects(): failed, ${added} of ${objects} so far are new objects: ${errorLine(asImageServerError(thrown))}`,
      );
      throw thrown;
    } finally {
      upload.close();
    }
    call.subject = `${objects} objects`;
  },
};
