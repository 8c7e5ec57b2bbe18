/** Stores in memory with the promises replication relies on; for tests. */
import { ImageServerError } from '../errors.ts';
import type {
  CatalogueEvent,
  Hash,
  ImageEntry,
  ImageStore,
  ObjectSource,
  ObjectStore,
  ObjectUpload,
} from '../store/types.ts';
import { decodeImage, type EncodedImage, encodeImage, scanImage } from '../wire/encoded-image.ts';
import type { Image } from '../wire/messages/image.ts';
import { type GoTime, isZeroTime, toMillis, ZERO_TIME } from '../wire/time.ts';

export const sha512 = (data: Uint8Array | string): Hash =>
  new Bun.CryptoHasher('sha512').update(data).digest('hex');

const unsupported = (): never => {
  throw new Error('not part of this fixture');
};

export class MemoryObjects {
  readonly contents = new Map<Hash, Uint8Array>();
  /** Leases of uploads that are still open. */
  readonly leases = new Map<Hash, number>();
  puts = 0;
  /** Bytes that fit; more throws NO_SPACE. */
  capacity = Number.POSITIVE_INFINITY;

  get used(): number {
    let used = 0;
    for (const data of this.contents.values()) used += data.length;
    return used;
  }

  size = (hash: Hash): number => this.contents.get(hash)?.length ?? 0;

  /** Removes everything neither leased nor `referenced`. */
  collect(referenced: ReadonlySet<Hash>): void {
    for (const hash of this.contents.keys())
      if (!referenced.has(hash) && !this.leases.get(hash)) this.contents.delete(hash);
  }

  upload(): ObjectUpload {
    const staged = new Map<Hash, Uint8Array>();
    const leased: Hash[] = [];
    const lease = (hash: Hash) => {
      leased.push(hash);
      this.leases.set(hash, (this.leases.get(hash) ?? 0) + 1);
    };
    return {
      put: async ({ length, expected, data }: ObjectSource) => {
        const chunks: Uint8Array[] = [];
        if (data instanceof Uint8Array) chunks.push(Buffer.from(data));
        else for await (const chunk of data) chunks.push(Buffer.from(chunk));
        const whole = Buffer.concat(chunks);
        if (length !== undefined && whole.length !== length)
          throw new ImageServerError('INVALID_REQUEST', 'unexpected EOF');
        const hash = sha512(whole);
        if (expected && hash !== expected)
          throw new ImageServerError(
            'HASH_MISMATCH',
            `hash mismatch. Computed=${hash}, expected=${expected}`,
          );
        if (this.used + whole.length > this.capacity)
          throw new ImageServerError('NO_SPACE', 'no space left on device');
        this.puts++;
        lease(hash);
        const added = !this.contents.has(hash) && !staged.has(hash);
        if (added) staged.set(hash, whole);
        return { hash, added };
      },
      commit: async () => {
        for (const [hash, data] of staged) this.contents.set(hash, data);
        staged.clear();
      },
      hold: (hashes) => {
        for (const hash of hashes) lease(hash);
      },
      holdPresent: (hashes) => {
        const texts =
          Buffer.from(hashes)
            .toString('hex')
            .match(/.{128}/g) ?? [];
        return texts.flatMap((hash, index) => {
          if (!this.contents.has(hash)) return [index];
          lease(hash);
          return [];
        });
      },
      open: unsupported,
      close: () => {
        staged.clear();
        for (const hash of leased.splice(0)) this.leases.set(hash, (this.leases.get(hash) ?? 1) - 1);
      },
    };
  }

  asStore(): ObjectStore {
    return {
      size: this.size,
      sizes: (hashes: readonly Hash[]) => hashes.map(this.size),
      upload: () => this.upload(),
      missing: () => [],
      open: (hash: Hash) => ({
        hash,
        size: this.size(hash),
        fd: -1,
        path: '',
        close: () => undefined,
      }),
    } as unknown as ObjectStore;
  }
}

interface Stored {
  readonly entry: ImageEntry;
  readonly encoded: EncodedImage;
  readonly hashes: readonly Hash[];
}

/** Counts its changes, also those that tests make by themselves. */
class CountedMap<V> extends Map<string, V> {
  changes = 0;

  override set(key: string, value: V): this {
    this.changes++;
    return super.set(key, value);
  }
  override delete(key: string): boolean {
    this.changes++;
    return super.delete(key);
  }
  override clear(): void {
    this.changes++;
    super.clear();
  }
}

export class MemoryImages {
  readonly stored = new CountedMap<Stored>();
  readonly directoryGroups = new CountedMap<string>().set('.', '');
  readonly trashed: { name: string; stored: Stored }[] = [];
  readonly listeners = new Set<(event: CatalogueEvent) => void>();
  sequence = 0;
  /** Thrown instead of removing images. */
  failsToRemove: Error | undefined;

  constructor(
    readonly objects: MemoryObjects,
    readonly now: () => number = Date.now,
  ) {}

  #emit(event: { kind: 'add' | 'delete' | 'rmdir'; name: string } | { kind: 'mkdir'; name: string }): void {
    const sequence = ++this.sequence;
    const full: CatalogueEvent =
      event.kind === 'mkdir'
        ? {
            kind: 'mkdir',
            directory: {
              Name: event.name,
              Metadata: { OwnerGroup: this.directoryGroups.get(event.name) ?? '' },
            },
            sequence,
          }
        : { kind: event.kind, name: event.name, sequence };
    for (const listener of this.listeners) listener(full);
  }

  referenced(): Set<Hash> {
    const all = new Set<Hash>();
    for (const { hashes } of [...this.stored.values(), ...this.trashed.map(({ stored }) => stored)])
      for (const hash of hashes) all.add(hash);
    return all;
  }

  async add(name: string, encoded: EncodedImage, options?: { replace?: boolean }): Promise<void> {
    const summary = await scanImage(encoded.bytes);
    if (this.stored.has(name) && !options?.replace)
      throw new ImageServerError('IMAGE_EXISTS', `image: ${name} already exists`);
    const slash = name.lastIndexOf('/');
    if (!this.directoryGroups.has(slash < 0 ? '.' : name.slice(0, slash)))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `no directory for ${name}`);
    const hashes: Hash[] = [...summary.annotations];
    for (let i = 0; i < summary.sizes.length; i++)
      hashes.push(Buffer.from(summary.hashes.subarray(i * 64, i * 64 + 64)).toString('hex'));
    const missing = hashes.filter((hash) => this.objects.size(hash) === 0);
    if (missing.length > 0)
      throw new ImageServerError('OBJECTS_MISSING', `${missing.length} objects are not available`);
    const { header } = summary;
    if (!isZeroTime(header.ExpiresAt) && toMillis(header.ExpiresAt) <= this.now()) return;
    const entry = {
      name,
      identity: sha512(encoded.bytes),
      createdOn: header.CreatedOn,
      createdBy: header.CreatedBy,
      expiresAt: header.ExpiresAt,
    } as ImageEntry;
    this.stored.set(name, { entry, encoded: { bytes: encoded.bytes }, hashes });
    this.#emit({ kind: 'add', name });
  }

  async setExpiry(name: string, expiresAt: GoTime): Promise<void> {
    const { encoded, hashes, entry } = this.#must(name);
    const image = await decodeImage(encoded.bytes);
    this.stored.set(name, {
      entry: { ...entry, expiresAt },
      encoded: encodeImage({ ...image, ExpiresAt: expiresAt }),
      hashes,
    });
    this.#emit({ kind: 'add', name });
  }

  async remove(name: string): Promise<void> {
    if (this.failsToRemove) throw this.failsToRemove;
    const stored = this.#must(name);
    this.stored.delete(name);
    this.trashed.push({ name, stored });
    this.#emit({ kind: 'delete', name });
  }

  #must(name: string): Stored {
    const stored = this.stored.get(name);
    if (!stored) throw new ImageServerError('IMAGE_NOT_FOUND', 'image does not exist');
    return stored;
  }

  async makeDirectory(name: string, group = ''): Promise<void> {
    this.directoryGroups.set(name, group);
    this.#emit({ kind: 'mkdir', name });
  }

  async setOwnerGroup(name: string, group: string): Promise<void> {
    this.directoryGroups.set(name, group);
    this.#emit({ kind: 'mkdir', name });
  }

  async removeDirectory(name: string): Promise<void> {
    const inside = (other: string) => other.startsWith(`${name}/`);
    if ([...this.stored.keys(), ...this.directoryGroups.keys()].some(inside))
      throw new ImageServerError('DIRECTORY_NOT_EMPTY', 'directory not empty');
    this.directoryGroups.delete(name);
    this.#emit({ kind: 'rmdir', name });
  }

  /** Undoes the last removal of `name`. */
  undelete(name: string): boolean {
    const index = this.trashed.findLastIndex((entry) => entry.name === name);
    const found = this.trashed[index];
    if (!found || this.stored.has(name)) return false;
    this.trashed.splice(index, 1);
    this.stored.set(name, found.stored);
    this.#emit({ kind: 'add', name });
    return true;
  }

  /** What the expiry timer does: the image goes without an event, as with the original. */
  expire(): void {
    for (const [name, { entry }] of this.stored)
      if (!isZeroTime(entry.expiresAt) && toMillis(entry.expiresAt) <= this.now()) this.stored.delete(name);
  }

  asStore(): ImageStore {
    const self = this;
    return {
      has: (name: string) => self.stored.has(name),
      get: (name: string) => self.stored.get(name)?.entry,
      names: () => self.stored.keys(),
      unreadable: () => [],
      isDamaged: () => false,
      entries: () => Array.from(self.stored.values(), ({ entry }) => entry),
      get generation() {
        return self.stored.changes + self.directoryGroups.changes;
      },
      get size() {
        return self.stored.size;
      },
      read: async (name: string) => self.#must(name).encoded,
      add: (name: string, image: EncodedImage, options?: { replace?: boolean }) =>
        self.add(name, image, options),
      remove: (name: string) => self.remove(name),
      setExpiry: (name: string, expiresAt: GoTime) => self.setExpiry(name, expiresAt),
      hasDirectory: (name: string) => self.directoryGroups.has(name),
      directories: () =>
        Array.from(self.directoryGroups, ([Name, OwnerGroup]) => ({ Name, Metadata: { OwnerGroup } })),
      ownerGroup: (name: string) => self.directoryGroups.get(name),
      makeDirectory: (name: string, group?: string) => self.makeDirectory(name, group),
      setOwnerGroup: (name: string, group: string) => self.setOwnerGroup(name, group),
      removeDirectory: (name: string) => self.removeDirectory(name),
      subscribe: (listener: (event: CatalogueEvent) => void) => {
        self.listeners.add(listener);
        return () => self.listeners.delete(listener);
      },
    } as unknown as ImageStore;
  }
}

/** An image of these file contents. */
export function imageOf(
  contents: readonly string[],
  options: { createdOn?: GoTime; createdBy?: string; expiresAt?: GoTime } = {},
): Image {
  const files = contents.filter((content) => content !== '');
  return {
    BuildBranch: '',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: options.createdBy ?? 'somebody',
    CreatedFor: '',
    Filter: { FilterLines: [] },
    FileSystem: {
      InodeTable: new Map(
        files.map((content, index) => [
          BigInt(index + 1),
          {
            Kind: 'regular' as const,
            Mode: 0o100644,
            Uid: 0,
            Gid: 0,
            MtimeNanoSeconds: 0,
            MtimeSeconds: 0n,
            Size: BigInt(Buffer.byteLength(content)),
            Hash: sha512(content),
          },
        ]),
      ),
      NumRegularInodes: BigInt(files.length),
      TotalDataBytes: 0n,
      DirectoryCount: 1n,
      DirectoryInode: {
        EntryList: files.map((_, index) => ({ Name: `f${index}`, InodeNumber: BigInt(index + 1) })),
        EntriesByName: null,
        Mode: 0o40755,
        Uid: 0,
        Gid: 0,
      },
    },
    Triggers: null,
    ReleaseNotes: null,
    BuildLog: null,
    CreatedOn: options.createdOn ?? ZERO_TIME,
    ExpiresAt: options.expiresAt ?? ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [],
    SourceImage: '',
    Tags: null,
  };
}
