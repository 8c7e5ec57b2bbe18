/** Uploads of objects: in batches, each asked about first, sent while the answers are read and the next one is made. */
import { ImageServerError } from '../errors.ts';
import type { SrpcClient } from '../srpc/client.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  CheckObjectsRequest,
  CheckObjectsResponse,
} from '../wire/messages/objectserver.ts';
import { type Content, changedContent, hashFile, withFile } from './content.ts';
import type { Progress, Task } from './progress.ts';

/** Limits of a batch: objects, bytes in all, bytes kept in memory. */
const BATCH_OBJECTS = 4000;
const BATCH_BYTES = 256 * 1024 * 1024;
const BATCH_MEMORY = 32 * 1024 * 1024;
/** Batches that may wait while one is sent. */
const WAITING = 1;

/** Takes contents as they become known and sees to it that the server has them. */
export class Uploader {
  readonly #seen = new Set<string>();
  #batch: Content[] = [];
  #bytes = 0;
  #memory = 0;
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();
  #failure: unknown;
  #task: Task | undefined;

  constructor(
    readonly client: SrpcClient,
    readonly progress: Progress,
  ) {}

  /** Resolves when the next content may come. Throws what went wrong with earlier ones. */
  async add(content: Content): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (content.size === 0 || this.#seen.has(content.hash)) return;
    this.#seen.add(content.hash);
    this.#batch.push(content);
    this.#bytes += content.size;
    if ('bytes' in content) this.#memory += content.size;
    if (this.#batch.length >= BATCH_OBJECTS || this.#bytes >= BATCH_BYTES || this.#memory >= BATCH_MEMORY)
      await this.#dispatch();
  }

  /** Resolves when the server has everything that was added so far. */
  async flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#dispatch();
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure;
  }
  /** The last flush. */
  async finish(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#task?.end();
    }
  }

  async #dispatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    this.#memory = 0;
    this.#waiting++;
    const before = this.#sending;
    this.#sending = before.then(async () => {
      try {
        if (this.#failure === undefined) await this.#send(batch);
      } catch (error) {
        this.#failure = error;
      }
      this.#waiting--;
    });
    if (this.#waiting > WAITING) await before;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #send(batch: readonly Content[]): Promise<void> {
    const missing = await missingObjects(this.client, batch);
    if (missing.length === 0) return;
    this.#task ??= this.progress.start('uploading');
    await sendObjects(this.client, missing, this.#task);
  }
}

/** Those of the contents that the server does not have. */
export async function missingObjects(client: SrpcClient, contents: readonly Content[]): Promise<Content[]> {
  const { ObjectSizes } = await client.call(
    'ObjectServer.CheckObjects',
    CheckObjectsRequest,
    CheckObjectsResponse,
    { Hashes: contents.map((content) => content.hash) },
  );
  return contents.filter((_, index) => !ObjectSizes[index]);
}

/** Sends objects in one call. The answers come when the server likes: they are read while sending. */
async function sendObjects(client: SrpcClient, contents: readonly Content[], task: Task): Promise<void> {
  const channel = await client.open('ObjectServer.AddObjects');
  let failed = false;
  const answers = (async () => {
    for (const content of contents) {
      const answer = await channel.receive(AddObjectResponse);
      if (!answer) throw new ImageServerError('UNAVAILABLE', 'EOF');
      if (answer.ErrorString) throw refusal(answer.ErrorString, content);
      if (answer.Hash !== content.hash)
        throw new ImageServerError('HASH_MISMATCH', `server computed another hash: ${answer.Hash}`);
    }
  })();
  answers.catch(() => {
    // The rest of what is sent would be taken for method names.
    failed = true;
    client.close();
  });
  try {
    for (const content of contents) {
      if (failed) break;
      await channel.send(AddObjectRequest, { Length: BigInt(content.size), ExpectedHash: content.hash });
      if ('bytes' in content) await channel.write(content.bytes);
      else await withFile(content, (fd) => channel.sendFile({ fd, size: content.size }, content.offset));
      task.add(content.size);
    }
    await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
    await channel.flush();
  } catch (error) {
    // The server's own word explains more than a broken connection does.
    if (failed) await answers;
    client.close();
    throw error;
  }
  await answers;
  channel.end();
}

function refusal(text: string, content: Content): ImageServerError {
  if (text.startsWith('hash mismatch')) {
    const error = changedContent(content);
    if (error) return error;
  }
  const code = text.startsWith('collision')
    ? 'COLLISION'
    : /no space left/.test(text)
      ? 'NO_SPACE'
      : 'INVALID_REQUEST';
  return new ImageServerError(code, `error sending image data: ${text}`);
}

/** Uploads one local file and returns its hash. */
export async function uploadFile(client: SrpcClient, progress: Progress, file: string): Promise<string> {
  const { size } = Bun.file(file);
  if (size === 0) throw new ImageServerError('INVALID_REQUEST', 'zero length object cannot be added');
  const content = await hashFile(file, size, () => undefined);
  const uploader = new Uploader(client, progress);
  await uploader.add(content);
  await uploader.finish();
  return content.hash;
}
