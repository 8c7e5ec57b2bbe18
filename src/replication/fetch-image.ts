/** Makes an image of the master appear here: its bytes as received, its missing objects, then the image in one step. */
import { ImageServerError } from '../errors.ts';
import { checkImageName } from '../image/names.ts';
import type { Hash, ImageStore, ObjectStore, ObjectUpload } from '../store/types.ts';
import { type EncodedImage, type ImageSummary, scanImage } from '../wire/encoded-image.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import type { ObjectFetcher, WantedObject } from './fetch-objects.ts';
import type { MasterLink } from './master-link.ts';
import { compareIdentity, replacedName } from './plan.ts';
import type { Budget, Slots } from './slots.ts';

/** Objects may vanish between the look and the add only by collection or an unlucky neighbour: a few rounds do. */
const ROUNDS = 4;
const HASH_BYTES = 64;
/** Hashes looked up in one go, so that nobody else waits for a big image. */
const LOOK_UP_STEP = 4096;

export interface FetchImageOptions {
  readonly link: MasterLink;
  readonly images: ImageStore;
  readonly objects: ObjectStore;
  readonly fetcher: ObjectFetcher;
  /** Images asked for at the same time. */
  readonly receiving: Slots;
  /** Bytes of images that are here and not yet stored. */
  readonly memory: Budget;
  readonly archive: boolean;
  readonly archiveExpiring: boolean;
  readonly now: () => number;
  readonly log: (line: string) => void;
}

/** What became of an image that was looked at. */
export type Outcome = 'added' | 'replaced' | 'extended' | 'same' | 'gone' | 'expired' | 'ignored';

function isExpired(expiresAt: Parameters<typeof isZeroTime>[0], now: number): boolean {
  return !isZeroTime(expiresAt) && toMillis(expiresAt) <= now;
}

/** Objects the image needs that are not here, each once (annotations' sizes are not known: -1); leases the others. */
async function missingObjects(summary: ImageSummary, lease: ObjectUpload): Promise<WantedObject[]> {
  const wanted = new Map<Hash, number>();
  const { hashes, sizes, annotations } = summary;
  const bytes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  for (let from = 0; from < sizes.length; from += LOOK_UP_STEP) {
    const step = bytes.subarray(from * HASH_BYTES, (from + LOOK_UP_STEP) * HASH_BYTES);
    for (const index of lease.holdPresent(step))
      wanted.set(
        step.toString('hex', index * HASH_BYTES, (index + 1) * HASH_BYTES),
        sizes[from + index] as number,
      );
    if (from + LOOK_UP_STEP < sizes.length) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  for (const hash of annotations)
    if (lease.holdPresent(Buffer.from(hash, 'hex')).length > 0) wanted.set(hash, -1);
  return Array.from(wanted, ([hash, size]) => ({ hash, size }));
}

async function addWithObjects(
  options: FetchImageOptions,
  name: string,
  image: EncodedImage,
  summary: ImageSummary,
  signal: AbortSignal,
): Promise<void> {
  const { images, objects, fetcher, log } = options;
  const leases: ObjectUpload[] = [];
  try {
    for (let round = 1; ; round++) {
      const lease = objects.upload();
      leases.push(lease);
      const missing = await missingObjects(summary, lease);
      if (missing.length > 0) {
        log(`Replicator(${name}): downloading ${missing.length} of ${summary.sizes.length} objects`);
        const started = performance.now();
        const got = await fetcher.fetch(missing, lease, signal);
        const seconds = (performance.now() - started) / 1000;
        if (got.objects > 0)
          log(
            `Replicator(${name}): downloaded ${got.objects} objects, ${got.bytes} B in ${seconds.toFixed(3)}s`,
          );
      }
      signal.throwIfAborted();
      try {
        await images.add(name, { bytes: image.bytes, summary }, { replace: true, lenient: true });
        return;
      } catch (thrown) {
        const retry = thrown instanceof ImageServerError && thrown.code === 'OBJECTS_MISSING';
        if (!retry || round >= ROUNDS) throw thrown;
      }
    }
  } finally {
    for (const lease of leases) lease.close();
  }
}

async function keepOld(options: FetchImageOptions, name: string): Promise<void> {
  const entry = options.images.get(name);
  if (!entry) return;
  const kept = replacedName(name, entry.createdOn);
  if (options.images.has(kept)) return;
  await options.images.add(kept, await options.images.read(name));
  options.log(`Replicator(${name}): replaced on the master, the older one is kept as ${kept}`);
}

/** One image of the master, once there is memory for it; its bytes are to be given back. */
function receiveImage(
  { link, receiving, memory }: FetchImageOptions,
  name: string,
  onlyPermanent: boolean,
  signal: AbortSignal,
): Promise<EncodedImage | undefined> {
  return receiving.use(async () => {
    await memory.take(0);
    signal.throwIfAborted();
    const image = await link.image(name, onlyPermanent, signal);
    if (image) memory.add(image.bytes.length);
    return image;
  });
}

/** Makes `name` here what it is at the master. */
export async function fetchImage(
  options: FetchImageOptions,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const { link, images, memory, archive, archiveExpiring, log } = options;
  // Not worth a transfer: it could not be stored under this name.
  checkImageName(name);
  const here = images.get(name);
  if (here) {
    const header = await link.header(name, signal);
    if (!header) return 'gone';
    const there = { createdOn: header.CreatedOn, createdBy: header.CreatedBy, expiresAt: header.ExpiresAt };
    const difference = compareIdentity(here, there);
    if (difference === 'same') return 'same';
    if (difference === 'expiry') {
      await images.setExpiry(name, there.expiresAt);
      log(`Replicator(${name}): extended expiration time`);
      return 'extended';
    }
  }
  const onlyPermanent = archive && !archiveExpiring;
  log(`Replicator(${name}): add image`);
  const image = await receiveImage(options, name, onlyPermanent, signal);
  if (!image) return 'gone';
  try {
    return await storeImage(options, name, image, here !== undefined, signal);
  } finally {
    memory.give(image.bytes.length);
  }
}

async function storeImage(
  options: FetchImageOptions,
  name: string,
  image: EncodedImage,
  replaces: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const { archive, archiveExpiring, now, log } = options;
  const summary = image.summary ?? (await scanImage(image.bytes));
  const { ExpiresAt } = summary.header;
  if (archive && !archiveExpiring && !isZeroTime(ExpiresAt)) {
    log(`Replicator(${name}): ignoring expiring image in archiver mode`);
    return 'ignored';
  }
  if (isExpired(ExpiresAt, now())) {
    log(`Ignoring already expired image: ${name}`);
    return 'expired';
  }
  if (!summary.hasFileSystem) throw new ImageServerError('INVALID_IMAGE', 'nil file-system');
  log(`Replicator(${name}): downloaded image`);
  if (replaces && archive) await keepOld(options, name);
  await addWithObjects(options, name, image, summary, signal);
  log(`Replicator(${name}): added image`);
  return replaces ? 'replaced' : 'added';
}
