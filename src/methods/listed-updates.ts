/**
 * What GetImageUpdates lists, in batches that all listeners share: transports encode each batch once. Listeners that ask
 * while nothing changes get the same list; after a change the batches that it did not touch are still the same, so that
 * listeners who stopped reading at different times do not each hold a list of their own.
 */

import { streamTurns } from '../shared-turns.ts';
import type { ImageEntry, ImageStore } from '../store/types.ts';
import type { Directory } from '../wire/messages/image.ts';
import { type ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import { Batch } from './method.ts';

/** A batch takes about so many bytes when it is encoded: it is sent in one piece. */
const BATCH_BYTES = 24 * 1024;
/** Of an update besides the name. */
const OVERHEAD = 80;
/** Items looked at in one turn. */
const ITEMS_A_TURN = 1000;

interface Listed {
  readonly update: ImageUpdate;
  readonly bytes: number;
  /** Begins a batch. It is so for good: what comes and goes elsewhere does not move the borders. */
  readonly first: boolean;
}

const listed = new WeakMap<ImageEntry | Directory, Listed>();
/** The newest batch that begins with an update. */
const batches = new WeakMap<ImageUpdate, Batch<ImageUpdate>>();
let sinceFirst = 0;

function listedOf(what: ImageEntry | Directory): Listed {
  let known = listed.get(what);
  if (!known) {
    const directory = 'Metadata' in what;
    const name = directory ? what.Name : what.name;
    const bytes = OVERHEAD + Buffer.byteLength(name);
    sinceFirst += bytes;
    const first = sinceFirst >= BATCH_BYTES;
    if (first) sinceFirst = 0;
    const update = directory
      ? { Name: '', Directory: what, Operation: Operation.MakeDirectory }
      : { Name: name, Directory: null, Operation: Operation.AddImage };
    known = { update, bytes, first };
    listed.set(what, known);
  }
  return known;
}

function batchOf(updates: readonly ImageUpdate[]): Batch<ImageUpdate> {
  const [first] = updates as [ImageUpdate];
  const known = batches.get(first);
  if (known?.items.length === updates.length && known.items.every((item, at) => item === updates[at]))
    return known;
  const batch = new Batch(updates);
  batches.set(first, batch);
  return batch;
}

async function cut(all: readonly (ImageEntry | Directory)[]): Promise<readonly Batch<ImageUpdate>[]> {
  const cuts: Batch<ImageUpdate>[] = [];
  let updates: ImageUpdate[] = [];
  let bytes = 0;
  for (const [index, what] of all.entries()) {
    const next = listedOf(what);
    // The first update is alone: each SRPC stream encodes it by itself, with the definitions of its types.
    if (index === 1 || (updates.length > 0 && (next.first || bytes + next.bytes > 2 * BATCH_BYTES))) {
      cuts.push(batchOf(updates));
      updates = [];
      bytes = 0;
    }
    updates.push(next.update);
    bytes += next.bytes;
    if (index % ITEMS_A_TURN === ITEMS_A_TURN - 1) await streamTurns.next();
  }
  if (updates.length > 0) cuts.push(batchOf(updates));
  return cuts;
}

interface Cut {
  readonly generation: number;
  readonly cuts: Promise<readonly Batch<ImageUpdate>[]>;
}
const newest = new WeakMap<ImageStore, Cut>();

/** Everything there is at this moment: directories, then images. */
export function listedUpdates(images: ImageStore): Promise<readonly Batch<ImageUpdate>[]> {
  const { generation } = images;
  let known = newest.get(images);
  if (!known || known.generation !== generation) {
    known = { generation, cuts: cut([...images.directories(), ...images.entries()]) };
    newest.set(images, known);
  }
  return known.cuts;
}
