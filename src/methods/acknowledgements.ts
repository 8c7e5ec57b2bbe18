/**
 * Answers of an AddObjects call: objects are committed in groups, each answer goes out when its group is durable, in the
 * order of the objects. Receiving goes on meanwhile, also while the client does not read: the original's client may not
 * read more answers before it could send more objects.
 */
import { asImageServerError, errorLine } from '../errors.ts';
import type { ObjectUpload } from '../store/types.ts';
import { type AddObjectResponse, AddObjectResponse as Response } from '../wire/messages/objectserver.ts';
import type { Channel } from './method.ts';

/** A group is committed when it has so many objects or bytes; while it has to wait for others it may grow further. */
const GROUP_OBJECTS = 1000;
const MOST_OBJECTS = 8000;
const GROUP_BYTES = 64 * 1024 * 1024;
/** Commits at a time: the sync after the renames of one is the sync before the renames of the next. */
const COMMITS = 2;
/** Answers that the client has not taken; then it gets no further. */
const MOST_UNSENT = 16 * 1024;

export class Acknowledgements {
  #group: AddObjectResponse[] = [];
  #bytes = 0;
  #commits = 0;
  #unsent = 0;
  /** Resolves when the answers of all groups so far are sent. */
  #sent: Promise<void> = Promise.resolve();
  #failure: unknown;
  #progress = Promise.withResolvers<void>();

  constructor(
    readonly channel: Channel,
    readonly upload: ObjectUpload,
  ) {}

  /** Takes the answer for an object of so many bytes. Resolves when the next may come; throws if sending has failed. */
  add(response: AddObjectResponse, bytes: number): void | Promise<void> {
    this.#group.push(response);
    this.#bytes += bytes;
    this.#unsent++;
    // An error is told at once: clients stop sending when they see one.
    if (response.ErrorString) return this.#dispatch();
    const objects = this.#commits < COMMITS ? GROUP_OBJECTS : MOST_OBJECTS;
    if (this.#group.length >= objects || this.#bytes >= GROUP_BYTES) return this.#dispatch();
  }

  /** Resolves when everything is answered. */
  async finish(): Promise<void> {
    await this.#dispatch();
    await this.#sent;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits for what is under way; never rejects. */
  settle(): Promise<void> {
    return this.#sent;
  }

  async #dispatch(): Promise<void> {
    while (this.#commits >= COMMITS || this.#unsent > MOST_UNSENT) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#progress.promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    if (group.length === 0) return;
    const committed = this.#commit();
    this.#sent = this.#sent.then(async () => {
      const failure = await committed;
      try {
        if (this.#failure === undefined) await this.#send(group, failure);
      } catch (thrown) {
        this.#failure = thrown;
      }
      this.#moved();
    });
  }

  /** Resolves with what is to be told instead of success. */
  async #commit(): Promise<string> {
    this.#commits++;
    try {
      await this.upload.commit();
      return '';
    } catch (thrown) {
      return errorLine(asImageServerError(thrown));
    } finally {
      this.#commits--;
      this.#moved();
    }
  }

  async #send(group: readonly AddObjectResponse[], failure: string): Promise<void> {
    for (const response of group) {
      const sending = this.channel.send(
        Response,
        failure && !response.ErrorString
          ? { ErrorString: failure, Hash: response.Hash, Added: false }
          : response,
      );
      this.#unsent--;
      if (sending) await sending;
    }
    await this.channel.flush();
  }

  #moved(): void {
    this.#progress.resolve();
    this.#progress = Promise.withResolvers<void>();
  }
}
