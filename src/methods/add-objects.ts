import { asImageServerError, errorLine } from '../errors.ts';
import { Turn } from '../store/turn.ts';
import type { ObjectUpload } from '../store/types.ts';
import {
  type AddObjectRequest,
  type AddObjectResponse,
  AddObjectRequest as Request,
  AddObjectResponse as Response,
} from '../wire/messages/objectserver.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { Channel, ChannelMethod } from './method.ts';

/** Objects up to this size are taken from the connection in one piece, bytes. */
const WHOLE = 256 * 1024;
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
  let data = rest ?? channel.take(length);
  if (data instanceof Promise) data = await data;
  try {
    const putting = upload.put({ length, expected, data });
    const { hash, added } = putting instanceof Promise ? await putting : putting;
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
    const turn = new Turn();
    const answers = new Acknowledgements(channel, upload);
    let objects = 0;
    let added = 0;
    try {
      for (;;) {
        const coming = channel.receive(Request);
        const request = coming instanceof Promise ? await coming : coming;
        if (!request || request.Length === 0n) break;
        const response = await putOne(channel, upload, request);
        objects++;
        if (response.Added) added++;
        const behind = answers.add(response, Number(request.Length));
        if (behind) await behind;
        // What has come already is taken without a wait: others get their turn.
        if (turn.over()) await turn.next();
      }
      await answers.finish();
      services.log(`AddObjects(): ${added} of ${objects} are new objects`);
    } catch (thrown) {
      services.log(
        `AddObjects(): failed, ${added} of ${objects} so far are new objects: ${errorLine(asImageServerError(thrown))}`,
      );
      throw thrown;
    } finally {
      await answers.settle();
      upload.close();
    }
    call.subject = `${objects} objects`;
  },
};
