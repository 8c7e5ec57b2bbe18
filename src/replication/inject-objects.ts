/**
 * AddObjects on a replica: each object is staged here and passed on to the master; it is committed here, and the client
 * told, once the master has confirmed it. Answers keep the order of the requests and one is always held back, so that
 * an error at the end (an object known here that the master lacks) is seen before the last success. Masters of old may
 * answer only when the call ends: a long upload is passed on in several.
 */
import { asImageServerError, errorLine, ImageServerError } from '../errors.ts';
import type { Call, Channel } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { sha512Hex } from '../sha512.ts';
import type { Hash, ObjectUpload, PutResult } from '../store/types.ts';
import { AddObjectRequest, AddObjectResponse } from '../wire/messages/objectserver.ts';
import type { MasterConnection, MasterPort, MasterUpload } from './master-link.ts';

/** Objects up to this size are taken from the connection in one piece, bytes. */
const WHOLE = 1024 * 1024;
/** Objects and bytes committed together. */
const GROUP_OBJECTS = 256;
const GROUP_BYTES = 32 * 1024 * 1024;
/** Objects taken and not yet answered; then the client gets no further. */
export const MOST_PENDING = 8192;
const NO_HASH = '0'.repeat(128);

/** Objects that are committed together once the master has confirmed all of them. */
class Group {
  readonly upload: ObjectUpload;
  objects = 0;
  bytes = 0;
  confirmed = 0;
  closed = false;
  readonly committed = Promise.withResolvers<void>();

  constructor(upload: ObjectUpload) {
    this.upload = upload;
    this.committed.promise.catch(() => undefined);
  }

  /** Commits when it is complete. */
  settle(): void {
    if (!this.closed || this.confirmed < this.objects) return;
    this.upload.commit().then(
      () => {
        this.upload.close();
        this.committed.resolve();
      },
      (thrown: unknown) => {
        this.upload.close();
        this.committed.reject(thrown);
      },
    );
  }

  abandon(): void {
    this.upload.close();
    this.committed.reject(new ImageServerError('CANCELLED', 'upload is over'));
  }
}

class Injection {
  readonly #services: Services;
  readonly #channel: Channel;
  readonly #connection: MasterConnection;
  #upload: MasterUpload | undefined;
  #group: Group | undefined;
  readonly #groups = new Set<Group>();
  /** Answers to the client, in order; each settles when the object is safe at the master and here. */
  #answers: Promise<void> = Promise.resolve();
  #held: AddObjectResponse | undefined;
  /** Objects whose answers are not on their way to the client. */
  #pending = 0;
  #confirmations: Promise<void> = Promise.resolve();
  #failure: unknown;
  /** Objects that were here already: the master may lack them all the same. */
  readonly #known = new Set<Hash>();
  objects = 0;
  added = 0;

  constructor(services: Services, channel: Channel, connection: MasterConnection) {
    this.#services = services;
    this.#channel = channel;
    this.#connection = connection;
  }

  async run(): Promise<void> {
    try {
      for (;;) {
        const request = await this.#channel.receive(AddObjectRequest);
        if (this.#failure) throw this.#failure;
        if (!request || request.Length === 0n) break;
        await this.#object(Number(request.Length), request.ExpectedHash ?? undefined);
        this.objects++;
        if (this.#pending >= MOST_PENDING) await this.#settle();
      }
      await this.#settle();
      if (this.#held) await this.#channel.send(AddObjectResponse, this.#held);
      await this.#channel.flush();
    } catch (thrown) {
      const error = asImageServerError(this.#failure ?? thrown);
      await this.#channel.send(AddObjectResponse, {
        ErrorString: errorLine(error),
        Hash: NO_HASH,
        Added: false,
      });
      await this.#channel.flush();
      // What the client still sends can only be told from calls by closing the connection.
      throw error;
    } finally {
      for (const group of this.#groups) group.abandon();
    }
  }

  async #object(length: number, expected: Hash | undefined): Promise<void> {
    if (length > WHOLE) {
      const chunks = this.#channel.bytes(length);
      if (expected && this.#services.objects.size(expected) > 0)
        return this.#compare(length, expected, chunks);
      return this.#forward(length, expected, chunks);
    }
    const data = await this.#channel.take(length);
    const hash = expected ?? sha512Hex(data);
    if (this.#services.objects.size(hash) > 0) return this.#compare(length, hash, data);
    return this.#forward(length, hash, data);
  }

  /** An object that is here: its contents are compared, the master is asked about it at the end. */
  async #compare(
    length: number,
    expected: Hash,
    data: Uint8Array | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const upload = this.#services.objects.upload();
    try {
      const { hash, added } = await upload.put({ length, expected, data });
      await upload.commit();
      this.#known.add(hash);
      if (added) this.added++;
      this.#answer(Promise.resolve({ ErrorString: '', Hash: hash, Added: false }));
    } finally {
      upload.close();
    }
  }

  async #forward(
    length: number,
    expected: Hash | undefined,
    data: Uint8Array | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#upload ??= await this.#connection.upload();
    const upload = this.#upload;
    const group = this.#currentGroup(length);
    await upload.begin(length, expected);
    let staged: PutResult;
    if (data instanceof Uint8Array) {
      const writing = upload.write(data);
      staged = await group.upload.put({ length, expected, data });
      await writing;
    } else staged = await group.upload.put({ length, expected, data: teeTo(upload, data) });
    this.#answer(this.#confirmation(upload, group, staged));
    if (group.objects >= GROUP_OBJECTS || group.bytes >= GROUP_BYTES) this.#closeGroup();
  }

  #currentGroup(length: number): Group {
    this.#group ??= new Group(this.#services.objects.upload());
    this.#groups.add(this.#group);
    this.#group.objects++;
    this.#group.bytes += length;
    return this.#group;
  }

  #closeGroup(): void {
    const group = this.#group;
    this.#group = undefined;
    if (!group) return;
    group.closed = true;
    group.settle();
    group.committed.promise.then(
      () => this.#groups.delete(group),
      () => this.#groups.delete(group),
    );
  }

  /** Resolves when the master has confirmed the object and it is committed here. */
  #confirmation(upload: MasterUpload, group: Group, staged: PutResult): Promise<AddObjectResponse> {
    const confirmed = this.#confirmations.then(async () => {
      const answer = await upload.answer();
      if (answer.error) throw new ImageServerError('INVALID_REQUEST', answer.error);
      if (answer.hash !== staged.hash)
        throw new ImageServerError(
          'HASH_MISMATCH',
          `the master has stored ${answer.hash} for ${staged.hash}`,
        );
      group.confirmed++;
      group.settle();
      if (answer.added) this.added++;
      return { ErrorString: '', Hash: answer.hash, Added: answer.added };
    });
    this.#confirmations = confirmed.then(
      () => undefined,
      (thrown: unknown) => {
        this.#failure ??= thrown;
        throw thrown;
      },
    );
    this.#confirmations.catch(() => undefined);
    return confirmed.then(async (response) => {
      await group.committed.promise;
      return response;
    });
  }

  #answer(coming: Promise<AddObjectResponse>): void {
    coming.catch(() => undefined);
    this.#pending++;
    this.#answers = this.#answers.then(async () => {
      const response = await coming;
      if (this.#held) await this.#channel.send(AddObjectResponse, this.#held);
      this.#held = response;
      this.#pending--;
    });
    this.#answers.catch((thrown: unknown) => {
      this.#failure ??= thrown;
    });
  }

  /** Ends the call at the master: everything so far is answered, but for the answer that is held back. */
  async #settle(): Promise<void> {
    this.#closeGroup();
    await this.#upload?.end();
    await this.#answers;
    this.#upload = undefined;
    await this.#completeMaster();
    this.#known.clear();
    await this.#channel.flush();
  }

  /** Gives the master what was here already but not there. */
  async #completeMaster(): Promise<void> {
    if (this.#known.size === 0) return;
    const hashes = [...this.#known];
    const sizes = await this.#connection.checkObjects(hashes);
    const lacking = hashes.filter((_, index) => !sizes[index]);
    if (lacking.length === 0) return;
    const upload = await this.#connection.upload();
    const answers = (async () => {
      for (const hash of lacking) {
        const answer = await upload.answer();
        if (answer.error) throw new ImageServerError('INVALID_REQUEST', answer.error);
        if (answer.hash !== hash)
          throw new ImageServerError('HASH_MISMATCH', `the master has stored ${answer.hash} for ${hash}`);
      }
    })();
    answers.catch(() => undefined);
    for (const hash of lacking) {
      const object = this.#services.objects.open(hash);
      try {
        await upload.begin(object.size, hash);
        await upload.writeObject(object);
      } finally {
        object.close();
      }
    }
    await upload.end();
    await answers;
  }
}

/** The chunks, each also written to the master. */
async function* teeTo(upload: MasterUpload, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    // A chunk is only valid until the next one is asked for, and the master's connection may lag behind.
    const writing = upload.write(Buffer.from(chunk));
    yield chunk;
    await writing;
  }
}

/** A whole AddObjects call on a replica. */
export async function injectObjects(
  port: MasterPort,
  services: Services,
  channel: Channel,
  call: Call,
): Promise<void> {
  services.log(`AddObjectsWithMaster(${call.peer}) starting`);
  let connection: MasterConnection;
  try {
    connection = await port.dial(call.signal);
  } catch (thrown) {
    const error = asImageServerError(thrown);
    await channel.send(AddObjectResponse, { ErrorString: errorLine(error), Hash: NO_HASH, Added: false });
    await channel.flush();
    throw error;
  }
  const injection = new Injection(services, channel, connection);
  try {
    await injection.run();
    services.log(`AddObjectsWithMaster(): ${injection.added} of ${injection.objects} are new objects`);
  } catch (thrown) {
    services.log(
      `AddObjectsWithMaster(): failed, ${injection.added} of ${injection.objects} so far are new objects: ${errorLine(asImageServerError(thrown))}`,
    );
    throw thrown;
  } finally {
    connection.close();
  }
  call.subject = `${injection.objects} objects`;
}
