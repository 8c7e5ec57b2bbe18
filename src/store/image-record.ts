/** What is kept in memory of an image beside its entry, and how it gets into the index and back. */
import type { BigIntStats } from 'node:fs';
import type { ImageSummary } from '../wire/encoded-image.ts';
import { encodeOnce } from '../wire/gob/encoder.ts';
import { Image } from '../wire/messages/image.ts';
import type { GoTime } from '../wire/time.ts';
import type { ImageRow } from './index-database.ts';
import type { ImageEntry } from './types.ts';

export interface ImageRecord {
  readonly entry: ImageEntry;
  /** packSlots() of the objects it refers to, each counted once. */
  readonly slots: Uint8Array;
  /** Identity of the file it was read from. */
  stamp: string;
  /** The stored bytes were compared with the identity since the start. */
  verified: boolean;
}

export function stampOf(stat: BigIntStats): string {
  return `${stat.size}.${stat.mtimeNs}.${stat.ino}`;
}

export function entryOf(name: string, identity: string, summary: ImageSummary): ImageEntry {
  const { header, counts } = summary;
  return {
    name,
    identity,
    createdOn: header.CreatedOn,
    expiresAt: header.ExpiresAt,
    createdBy: header.CreatedBy,
    createdFor: header.CreatedFor,
    ownerUsers: header.OwnerUsers,
    ownerGroups: header.OwnerGroups,
    buildBranch: header.BuildBranch,
    buildCommitId: header.BuildCommitId,
    tags: header.Tags ?? new Map(),
    filterLines: header.Filter?.FilterLines.length,
    triggers: header.Triggers?.Triggers.length,
    packages: header.Packages.length,
    computedInodes: counts.computed,
    regularInodes: counts.regular,
    inodes: counts.inodes,
    dataBytes: summary.dataBytes,
    encodedBytes: summary.gobLength,
  };
}

const timeText = ({ unixNanos, offset }: GoTime) => [unixNanos.toString(), offset ?? null] as const;
const timeOf = ([nanos, offset]: readonly [string, number | null]): GoTime => ({
  unixNanos: BigInt(nanos),
  offset: offset ?? undefined,
});

export function rowOf(path: string, record: ImageRecord, header: Image): ImageRow {
  const { createdOn, expiresAt, tags, ...rest } = record.entry;
  return {
    path,
    stamp: record.stamp,
    entry: JSON.stringify({
      ...rest,
      createdOn: timeText(createdOn),
      expiresAt: timeText(expiresAt),
      tags: [...tags],
    }),
    header: encodeOnce(Image, { ...header, FileSystem: null }),
    slots: record.slots,
  };
}

export function recordOf(row: ImageRow): ImageRecord {
  const stored = JSON.parse(row.entry);
  const entry: ImageEntry = {
    ...stored,
    createdOn: timeOf(stored.createdOn),
    expiresAt: timeOf(stored.expiresAt),
    tags: new Map(stored.tags),
    // JSON leaves out what is undefined.
    filterLines: stored.filterLines,
    triggers: stored.triggers,
  };
  return { entry, slots: row.slots, stamp: row.stamp, verified: false };
}
