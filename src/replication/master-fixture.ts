/** A master in memory that can be cut off, emptied and damaged; for tests. */
import { ImageServerError } from '../errors.ts';
import type { CatalogueEvent, Hash } from '../store/types.ts';
import { decodeImage, encodeImage, scanImage } from '../wire/encoded-image.ts';
import { type ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import type { GoTime } from '../wire/time.ts';
import { timeFromMillis } from '../wire/time.ts';
import type { MasterLink, MasterPort, TakeObject } from './master-link.ts';
import { imageOf, MemoryImages, MemoryObjects } from './store-fixture.ts';

const lost = () => new ImageServerError('UNAVAILABLE', 'EOF');

function updateOf(event: CatalogueEvent): ImageUpdate {
  if (event.kind === 'mkdir')
    return { Name: '', Directory: event.directory, Operation: Operation.MakeDirectory };
  const Operations = {
    add: Operation.AddImage,
    delete: Operation.DeleteImage,
    rmdir: Operation.DeleteDirectory,
  };
  return { Name: event.name, Directory: null, Operation: Operations[event.kind] };
}

export class FakeMaster {
  readonly objects = new MemoryObjects();
  readonly images: MemoryImages;
  up = true;
  /** As ours: answers ListImageIdentities. */
  knowsIdentities = false;
  sessions = 0;
  objectsSent: Hash[] = [];
  headersAsked = 0;
  /** Called before each object is sent; may cut, delay or damage. */
  onObject: (hash: Hash) => void | Promise<void> = () => undefined;
  /** Called before ListImageIdentities is answered. */
  beforeIdentities: () => void | Promise<void> = () => undefined;
  dial: MasterPort['dial'] = async () => {
    throw new ImageServerError('UNAVAILABLE', 'connection refused');
  };
  imagesSent = 0;
  readonly #ends = new Set<() => void>();
  #created = 1_700_000_000_000;

  constructor(now: () => number = Date.now) {
    this.images = new MemoryImages(this.objects, now);
  }

  async add(name: string, contents: readonly string[], options: { expiresAt?: GoTime } = {}): Promise<void> {
    const upload = this.objects.upload();
    for (const content of contents.filter((one) => one !== '')) {
      const data = Buffer.from(content);
      await upload.put({ length: data.length, expected: undefined, data });
    }
    await upload.commit();
    upload.close();
    const createdOn = timeFromMillis(this.#created++);
    await this.images.add(name, encodeImage(imageOf(contents, { ...options, createdOn })));
  }

  /** Cuts all sessions. */
  cut(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  readonly port: MasterPort = {
    address: 'fake:6971',
    open: async () => {
      if (!this.up) throw new ImageServerError('UNAVAILABLE', 'connection refused');
      this.sessions++;
      return this.#link();
    },
    dial: (signal) => this.dial(signal),
    clockSkew: async () => ({ skewMs: 0, uncertaintyMs: 500 }),
  };

  #link(): MasterLink {
    let open = true;
    const closed = Promise.withResolvers<void>();
    const close = () => {
      open = false;
      closed.resolve();
    };
    this.#ends.add(close);
    const check = () => {
      if (!open || !this.up) throw lost();
    };
    const master = this;
    return {
      close,
      async *updates(signal) {
        signal.addEventListener('abort', close, { once: true });
        const events: ImageUpdate[] = [];
        let wake: () => void = () => undefined;
        const listener = (event: CatalogueEvent) => {
          events.push(updateOf(event));
          wake();
        };
        master.images.listeners.add(listener);
        try {
          const directories = [...master.images.directoryGroups.keys()];
          const names = [...master.images.stored.keys()];
          for (const name of directories)
            yield {
              Name: '',
              Directory: {
                Name: name,
                Metadata: { OwnerGroup: master.images.directoryGroups.get(name) ?? '' },
              },
              Operation: Operation.MakeDirectory,
            };
          for (const Name of names) yield { Name, Directory: null, Operation: Operation.AddImage };
          yield { Name: '', Directory: null, Operation: Operation.AddImage };
          for (;;) {
            for (const event of events.splice(0)) yield event;
            if (!open) return;
            if (events.length === 0)
              await Promise.race([
                closed.promise,
                new Promise<void>((resolve) => {
                  wake = resolve;
                }),
              ]);
          }
        } finally {
          master.images.listeners.delete(listener);
        }
      },
      async identities() {
        check();
        await master.beforeIdentities();
        if (!master.knowsIdentities) return undefined;
        return new Map(
          Array.from(master.images.stored.values(), ({ entry }) => [
            entry.name,
            {
              name: entry.name,
              createdOn: entry.createdOn,
              createdBy: entry.createdBy,
              expiresAt: entry.expiresAt,
            },
          ]),
        );
      },
      async header(name) {
        check();
        master.headersAsked++;
        const stored = master.images.stored.get(name);
        return stored && (await scanImage(stored.encoded.bytes)).header;
      },
      async image(name, treeOnlyIfPermanent) {
        check();
        const stored = master.images.stored.get(name);
        if (!stored) return undefined;
        master.imagesSent++;
        const image = await decodeImage(stored.encoded.bytes);
        const expires = stored.entry.expiresAt.unixNanos > 0n;
        return encodeImage(treeOnlyIfPermanent && expires ? { ...image, FileSystem: null } : image);
      },
      async objects(hashes: readonly Hash[], take: TakeObject) {
        check();
        const missing = hashes.flatMap((hash, index) => (master.objects.size(hash) ? [] : [index]));
        if (missing.length > 0) return missing;
        for (const [index, hash] of hashes.entries()) {
          await master.onObject(hash);
          check();
          const data = master.objects.contents.get(hash) as Uint8Array;
          master.objectsSent.push(hash);
          await take(index, data.length, data);
        }
        return [];
      },
    };
  }
}
