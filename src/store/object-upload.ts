/**
 * One group of uploads: objects are hashed as they come and staged under hidden names, then made durable and visible
 * together (group commit).
 */
import { openSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { sha512Hex } from '../sha512.ts';
import { BIG_FILE, closeFile, errno, isUnreadable } from './disk.ts';
import { commitObjects } from './object-commit.ts';
import { HASH_BYTES, hashBytes } from './object-hash.ts';
import { IncomingObject } from './object-incoming.ts';
import { type DirectoryObjectStore, FILE_MODE } from './object-store.ts';
import { type Examined, examine, sameFiles } from './object-verify.ts';
import { Room } from './space-guard.ts';
import type { Hash, ObjectReader, ObjectSource, ObjectUpload, PutResult } from './types.ts';

/** Up to this size an object that comes whole is dealt with in one go, bytes. */
const SMALL = 512 * 1024;

export interface StagedObject {
  readonly hash: Hash;
  readonly size: number;
  readonly path: string;
  /** Its bytes are on the disk already. */
  readonly synced: boolean;
  /** Takes the place of a damaged file. */
  readonly heals: boolean;
}

const noBytes = () => new ImageServerError('INVALID_REQUEST', 'zero length object cannot be added');
const unexpectedEnd = () => new ImageServerError('INVALID_REQUEST', 'unexpected EOF');

export class DirectoryUpload implements ObjectUpload {
  readonly #store: DirectoryObjectStore;
  #staged = new Map<Hash, StagedObject>();
  #slots: number[] = [];
  #closed = false;
  #busy = 0;

  constructor(store: DirectoryObjectStore) {
    this.#store = store;
  }

  put(source: ObjectSource): PutResult | Promise<PutResult> {
    const { data } = source;
    const length = data instanceof Uint8Array ? (source.length ?? data.length) : source.length;
    if (this.#closed) throw new ImageServerError('CANCELLED', 'upload is closed');
    if (length !== undefined) {
      if (length <= 0) throw noBytes();
      if (!Number.isSafeInteger(length)) throw new ImageServerError('TOO_LARGE', 'object is too large');
    }
    const room = new Room(this.#store.options.space);
    const announced = room.announce(length);
    if (announced) return announced.then(() => this.#put(source, room));
    return this.#put(source, room);
  }

  /** Gives the room back when it is done. */
  #put(source: ObjectSource, room: Room): PutResult | Promise<PutResult> {
    this.#busy++;
    const finish = () => {
      room.end();
      this.#busy--;
      if (this.#closed) this.#letGo();
    };
    let putting: PutResult | Promise<PutResult>;
    try {
      const { data } = source;
      if (!(data instanceof Uint8Array)) putting = this.#putStream(source, data, room);
      else if (data.length !== (source.length ?? data.length)) throw unexpectedEnd();
      else if (data.length <= SMALL) putting = this.#putSmall(source, data);
      else putting = this.#putStream(source, [data], room);
    } catch (thrown) {
      finish();
      throw thrown;
    }
    if (putting instanceof Promise) return putting.finally(finish);
    finish();
    return putting;
  }

  hold(hashes: readonly Hash[]): void {
    for (const hash of hashes) {
      const slot = this.#store.locateHash(hash);
      if (slot !== 0) this.#lease(slot);
    }
  }

  holdPresent(hashes: Uint8Array): number[] {
    const missing: number[] = [];
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      const slot = this.#store.locateForUpload(hashes, at);
      if (slot === 0) missing.push(at / HASH_BYTES);
      else this.#lease(slot);
    }
    return missing;
  }

  /** Also opens what is staged and not yet committed. */
  open(hash: Hash): ObjectReader {
    const staged = this.#staged.get(hash);
    if (!staged) return this.#store.open(hash);
    const fd = openSync(staged.path, 'r');
    let open = true;
    return {
      hash,
      size: staged.size,
      fd,
      path: staged.path,
      close: () => {
        if (open) closeFile(fd, staged.size);
        open = false;
      },
    };
  }

  async commit(): Promise<void> {
    // What is staged from now on belongs to the next commit.
    const group = [...this.#staged.values()];
    this.#staged = new Map();
    this.#busy++;
    try {
      await this.#settleFinds(group);
      if (group.length > 0) await commitObjects(this.#store, group, (slot) => this.#lease(slot));
    } finally {
      this.#busy--;
      if (this.#closed) this.#letGo();
    }
  }

  async #settleFinds(group: readonly StagedObject[]): Promise<void> {
    try {
      const settled = this.#store.finds.settle();
      if (settled) await settled;
    } catch (thrown) {
      for (const { path, size } of group) this.#drop(path, size);
      throw thrown;
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#busy === 0) this.#letGo();
  }

  #letGo(): void {
    for (const slot of this.#slots) this.#store.release(slot);
    this.#slots = [];
    for (const { path, size } of this.#staged.values()) this.#drop(path, size);
    this.#staged.clear();
  }

  #lease(slot: number): void {
    this.#store.lease(slot);
    this.#slots.push(slot);
  }

  #drop(path: string, size: number): void {
    const { disk, reporter } = this.#store.options;
    const failed = (thrown: unknown) => reporter.log(`Cannot remove a temporary file: ${thrown}`);
    if (size >= BIG_FILE) {
      disk.remove(path).catch(failed);
      return;
    }
    try {
      disk.unlink(path);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #putSmall(source: ObjectSource, bytes: Uint8Array): PutResult | Promise<PutResult> {
    const { disk } = this.#store.options;
    const hash = sha512Hex(bytes);
    checkExpected(hash, source.expected);
    if (this.#staged.has(hash)) return { hash, added: false };
    const slot = this.#store.locateForUpload(hashBytes(hash));
    if (slot !== 0) {
      this.#lease(slot);
      if (this.#store.holdsExactly(hash, bytes)) return this.#already(hash, slot);
    }
    const path = this.#store.temporaryPath();
    const fd = disk.open(path, 'wx', FILE_MODE);
    try {
      disk.write(fd, bytes);
    } catch (thrown) {
      disk.close(fd);
      this.#drop(path, bytes.length);
      throw thrown;
    }
    disk.close(fd);
    const staged = { hash, size: bytes.length, path, synced: false, heals: slot !== 0 };
    return slot === 0 ? this.#stage(staged) : this.#replace(staged);
  }

  async #putStream(
    source: ObjectSource,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    room: Room,
  ): Promise<PutResult> {
    const { length, expected } = source;
    const known = expected === undefined ? 0 : this.#store.locateForUpload(hashBytes(expected));
    if (known !== 0) this.#lease(known);
    const incoming = new IncomingObject(this.#store, length, known === 0 ? undefined : expected);
    let path: string | undefined;
    try {
      for await (const chunk of chunks) {
        const needed = room.need(chunk.length);
        if (needed) await needed;
        await incoming.take(chunk);
        room.written(chunk.length);
      }
      const { received } = incoming;
      if (received < (length ?? 0)) throw unexpectedEnd();
      if (received === 0) throw noBytes();
      const hash = await incoming.digest();
      checkExpected(hash, expected);
      path = await incoming.finish();
      if (path === undefined) return this.#already(hash, known);
      if (this.#staged.has(hash)) {
        this.#drop(path, received);
        return { hash, added: false };
      }
      const slot = known || this.#store.locateForUpload(hashBytes(hash));
      if (slot !== 0) {
        if (known === 0) this.#lease(slot);
        if (await sameFiles(path, this.#store.pathOf(hash))) {
          this.#drop(path, received);
          return this.#already(hash, slot);
        }
      }
      const staged = { hash, size: received, path, synced: true, heals: slot !== 0 };
      return slot === 0 ? this.#stage(staged) : await this.#replace(staged);
    } catch (thrown) {
      incoming.abandon();
      throw thrown;
    }
  }

  #already(hash: Hash, slot: number): PutResult {
    this.#store.table.renew(slot, this.#store.options.now());
    return { hash, added: false };
  }

  /** The object is here already but its file has other contents. */
  async #replace(staged: StagedObject): Promise<PutResult> {
    try {
      await this.#checkDamaged(staged);
    } catch (thrown) {
      this.#drop(staged.path, staged.size);
      throw thrown;
    }
    return this.#stage(staged);
  }

  #stage(staged: StagedObject): PutResult {
    this.#staged.set(staged.hash, staged);
    return { hash: staged.hash, added: true };
  }

  /** Either the stored file is damaged, which the upload will heal, or SHA-512 is broken. */
  async #checkDamaged(staged: StagedObject): Promise<void> {
    const { reporter } = this.#store.options;
    let found: Examined;
    try {
      found = await examine(this.#store.pathOf(staged.hash));
    } catch (thrown) {
      if (!isUnreadable(thrown)) throw thrown;
      reporter.damage('object', staged.hash, `cannot read: ${errno(thrown)}`);
      return;
    }
    if (found.hash !== staged.hash) {
      reporter.damage('object', staged.hash, 'contents do not match its hash');
      return;
    }
    throw new ImageServerError(
      'COLLISION',
      found.size === staged.size
        ? 'collision detected: content mismatch'
        : `collision detected: length mismatch. Data=${staged.size}, existing object=${found.size}`,
    );
  }
}

function checkExpected(hash: Hash, expected: Hash | undefined): void {
  if (expected !== undefined && hash !== expected)
    throw new ImageServerError('HASH_MISMATCH', `hash mismatch. Computed=${hash}, expected=${expected}`);
}
