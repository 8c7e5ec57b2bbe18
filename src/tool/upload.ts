/**
 * Uploads of objects. The server is asked about them in batches on one connection; what it lacks goes out in a single
 * call on another, while its answers are read and the next batch is made.
 */
import { ImageServerError } from '../errors.ts';
import type { SrpcClient } from '../srpc/client.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  CheckObjectsRequest,
  CheckObjectsResponse,
} from '../wire/messages/objectserver.ts';
import type { Context } from './command.ts';
import { type Content, changedContent, hashFile, withFile } from './content.ts';
import type { Task } from './progress.ts';
import type { WatchedChannel, WatchedClient } from './watched-client.ts';

/** Limits of a batch: objects, bytes in all, bytes kept in memory. */
const BATCH_OBJECTS = 4000;
const BATCH_BYTES = 256 * 1024 * 1024;
const BATCH_MEMORY = 32 * 1024 * 1024;
/** Batches that may wait while one is sent. */
const WAITING = 1;

/** One AddObjects call: objects go out one after the other, answers come when the server likes. */
class UploadCall {
  readonly #sent: Content[] = [];
  #answered = 0;
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  readonly #answers: Promise<void>;

  constructor(
    readonly client: WatchedClient,
    readonly channel: WatchedChannel,
    readonly task: Task,
  ) {
    this.#answers = this.#readAnswers().catch((error) => {
      this.#failure = error;
      // The rest of what is sent would be taken for method names.
      client.close();
    });
  }

  async #readAnswers(): Promise<void> {
    for (;;) {
      while (this.#answered < this.#sent.length) {
        const content = this.#sent[this.#answered] as Content;
        const coming = this.channel.receiveSometime(AddObjectResponse);
        const answer = coming instanceof Promise ? await coming : coming;
        if (!answer) throw new ImageServerError('UNAVAILABLE', 'EOF');
        if (answer.ErrorString) throw refusal(answer.ErrorString, content);
        if (answer.Hash !== content.hash)
          throw new ImageServerError('HASH_MISMATCH', `server computed another hash: ${answer.Hash}`);
        this.#answered++;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async send(contents: readonly Content[]): Promise<void> {
    try {
      for (const content of contents) {
        if (this.#failure !== undefined) throw this.#failure;
        const { hash, size } = content;
        this.#sent.push('bytes' in content ? { hash, size, bytes: NOTHING } : content);
        const asking = this.channel.send(AddObjectRequest, { Length: BigInt(size), ExpectedHash: hash });
        if (asking) await asking;
        const sending =
          'bytes' in content
            ? this.channel.write(content.bytes)
            : withFile(content, (fd) => this.channel.sendFile({ fd, size }, content.offset));
        if (sending) await sending;
        this.task.add(size);
        this.#wake?.();
      }
      await this.channel.flush();
    } catch (error) {
      await this.#fail(error);
    }
  }

  async end(): Promise<void> {
    try {
      await this.channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
      await this.channel.flush();
    } catch (error) {
      await this.#fail(error);
    }
    this.#ended = true;
    this.#wake?.();
    await this.client.watch(this.#answers, 0, () => this.#answered);
    if (this.#failure !== undefined) throw this.#failure;
    this.channel.end();
  }

  /** The server's own word explains more than a broken connection does. */
  async #fail(error: unknown): Promise<never> {
    const broken =
      error instanceof ImageServerError && (error.code === 'CANCELLED' || error.code === 'UNAVAILABLE');
    if (!broken) this.client.close();
    this.#ended = true;
    this.#wake?.();
    await this.#answers;
    throw broken ? (this.#failure ?? error) : error;
  }
}
const NOTHING = new Uint8Array(0);

/** Takes contents as they become known and sees to it that the server has them. */
export class Uploader {
  readonly #seen = new Set<string>();
  #batch: Content[] = [];
  #bytes = 0;
  #memory = 0;
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();
  #failure: unknown;
  #call: UploadCall | undefined;
  #task: Task | undefined;

  constructor(readonly context: Context) {}

  /** A promise, if one is returned, tells when the next content may come. Throws what went wrong with earlier ones. */
  add(content: Content): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (content.size === 0 || this.#seen.has(content.hash)) return;
    this.#seen.add(content.hash);
    this.#batch.push(content);
    this.#bytes += content.size;
    if ('bytes' in content) this.#memory += content.size;
    if (this.#batch.length >= BATCH_OBJECTS || this.#bytes >= BATCH_BYTES || this.#memory >= BATCH_MEMORY)
      return this.#dispatch();
  }

  /** Resolves when everything that was added so far is sent or known to the server. */
  async flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#dispatch();
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure;
  }
  /** Resolves when the server has acknowledged everything. */
  async finish(): Promise<void> {
    try {
      await this.flush();
      await this.#call?.end();
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
    const missing = await missingObjects(await this.context.client(), batch);
    if (missing.length === 0) return;
    this.#task ??= this.context.progress.start('uploading');
    this.#call ??= await this.#open(this.#task);
    await this.#call.send(missing);
  }
  async #open(task: Task): Promise<UploadCall> {
    const client = await this.context.uploadClient();
    return new UploadCall(client, await client.open('ObjectServer.AddObjects'), task);
  }
}

/** Those of the objects that the server does not have. */
export async function missingObjects<T extends { readonly hash: string }>(
  client: SrpcClient,
  objects: readonly T[],
): Promise<T[]> {
  const missing: T[] = [];
  for (let at = 0; at < objects.length; at += BATCH_OBJECTS) {
    const batch = objects.slice(at, at + BATCH_OBJECTS);
    const { ObjectSizes } = await client.call(
      'ObjectServer.CheckObjects',
      CheckObjectsRequest,
      CheckObjectsResponse,
      { Hashes: batch.map(({ hash }) => hash) },
    );
    missing.push(...batch.filter((_, index) => !ObjectSizes[index]));
  }
  return missing;
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
export async function uploadFile(context: Context, file: string): Promise<string> {
  const { size } = Bun.file(file);
  if (size === 0) throw new ImageServerError('INVALID_REQUEST', 'zero length object cannot be added');
  const content = await hashFile(file, size, () => undefined);
  const uploader = new Uploader(context);
  await uploader.add(content);
  await uploader.finish();
  return content.hash;
}
