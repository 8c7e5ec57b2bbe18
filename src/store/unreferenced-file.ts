/**
 * `.unreferenced-objects` in IMAGE_DIR: the original's list, oldest first. Read when the index does not know better,
 * written so that the original can take over.
 */
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BufferSource, GobDecoder } from '../wire/gob/decoder.ts';
import { GobEncoder } from '../wire/gob/encoder.ts';
import { UnreferencedObject } from '../wire/messages/storage.ts';
import { uint64 } from '../wire/schema.ts';
import { timeFromNanos } from '../wire/time.ts';
import { checksumState, sha512, writeWhole } from './checksummed-file.ts';
import type { Disk } from './disk.ts';
import { stampOf } from './image-record.ts';
import { hashBytes, hashText } from './object-hash.ts';
import type { ObjectTable } from './object-table.ts';
import { Turn } from './turn.ts';

const UNREFERENCED_FILE = '.unreferenced-objects';
const FILE_MODE = 0o644;

/** Milliseconds with a fraction: what keeps the order of those that became unreferenced in one go. */
function nanosOf(ms: number): bigint {
  const whole = Math.trunc(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}

/** Identity of the file; empty if there is none. */
export function unreferencedFileStamp(directory: string): string {
  const stat = lstatSync(join(directory, UNREFERENCED_FILE), { bigint: true, throwIfNoEntry: false });
  return stat ? stampOf(stat) : '';
}

/** Takes over the times at which objects became unreferenced. Throws an Error saying what is wrong with the file. */
export async function readUnreferenced(directory: string, table: ObjectTable): Promise<void> {
  const file = readFileSync(join(directory, UNREFERENCED_FILE));
  const source = new BufferSource(file);
  const decoder = new GobDecoder(source);
  const count = Number((await decoder.decode(uint64)) ?? 0n);
  const ages: { hash: Uint8Array; since: number }[] = [];
  const turn = new Turn();
  for (let index = 0; index < count; index++) {
    const entry = await decoder.decode(UnreferencedObject);
    if (!entry) throw new Error('unexpected EOF');
    ages.push({ hash: hashBytes(entry.Hash), since: Number(entry.Age.unixNanos) / 1e6 });
    if (turn.over()) await turn.next();
  }
  const state = checksumState(file, source.at, await sha512(file.subarray(0, source.at)));
  if (state !== 'good') throw new Error(`checksum is ${state}`);
  for (const { hash, since } of ages) {
    const slot = table.find(hash);
    if (slot !== 0 && table.isUnreferenced(slot)) table.age(slot, since);
    if (turn.over()) await turn.next();
  }
  await table.sortUnreferenced();
}

/** Writes the list as it is now; returns the new file's stamp. */
export async function writeUnreferenced(
  disk: Disk,
  directory: string,
  temporary: string,
  table: ObjectTable,
): Promise<string> {
  const encoder = new GobEncoder();
  const parts: Uint8Array[] = [];
  const turn = new Turn();
  for (const slot of table.unreferencedSlots()) {
    if (turn.over()) await turn.next();
    if (!table.isUnreferenced(slot)) continue;
    parts.push(
      encoder.encode(UnreferencedObject, {
        Hash: hashText(table.hashes, slot * 64),
        Length: BigInt(table.sizes[slot] as number),
        Age: timeFromNanos(nanosOf(table.since[slot] as number)),
      }),
    );
  }
  // The count comes first, and is known last: a number needs no type definition.
  const gob = Buffer.concat([encoder.encode(uint64, BigInt(parts.length)), ...parts]);
  await writeWhole(disk, join(directory, UNREFERENCED_FILE), temporary, [gob, await sha512(gob)], FILE_MODE);
  return unreferencedFileStamp(directory);
}
