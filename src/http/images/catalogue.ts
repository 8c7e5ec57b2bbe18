/** All images in version order, kept until the catalogue changes, and the filters of `GET /images`. */
import { compareVersions } from '../../image/version-order.ts';
import type { ImageEntry, ImageStore } from '../../store/types.ts';
import { formatTime } from '../../wire/json.ts';
import { isZeroTime } from '../../wire/time.ts';

export interface ImageFilter {
  /** Only images in this directory or below it. */
  readonly directory?: string | undefined;
  /** Only images whose names contain this text. */
  readonly name?: string | undefined;
  readonly createdBy?: string | undefined;
  /** `key` or `key=value`. */
  readonly tag?: string | undefined;
  readonly expiring?: boolean | undefined;
}

export type ImageOrder = 'name' | 'created' | 'size';

function hasTag(entry: ImageEntry, wanted: string): boolean {
  const [key = '', ...value] = wanted.split('=');
  const found = entry.tags.get(key);
  return found !== undefined && (value.length === 0 || found === value.join('='));
}

function matches(entry: ImageEntry, filter: ImageFilter): boolean {
  const { directory, name, createdBy, tag, expiring } = filter;
  if (directory !== undefined && directory !== '.' && !entry.name.startsWith(`${directory}/`)) return false;
  if (name !== undefined && !entry.name.includes(name)) return false;
  if (createdBy !== undefined && entry.createdBy !== createdBy) return false;
  if (tag !== undefined && !hasTag(entry, tag)) return false;
  return expiring === undefined || expiring === !isZeroTime(entry.expiresAt);
}

export class Catalogue {
  #sorted: ImageEntry[] | undefined;

  constructor(readonly images: ImageStore) {
    images.subscribe(({ kind }) => {
      if (kind === 'add' || kind === 'delete') this.#sorted = undefined;
    });
  }

  /** In version order of their names. */
  all(): readonly ImageEntry[] {
    this.#sorted ??= [...this.images.entries()].sort((a, b) => compareVersions(a.name, b.name));
    return this.#sorted;
  }

  find(filter: ImageFilter, order: ImageOrder, descending: boolean): ImageEntry[] {
    const found = this.all().filter((entry) => matches(entry, filter));
    if (order === 'created') found.sort((a, b) => Number(a.createdOn.unixNanos - b.createdOn.unixNanos));
    if (order === 'size') found.sort((a, b) => a.dataBytes - b.dataBytes);
    return descending ? found.reverse() : found;
  }
}

/** What `GET /images` tells of an image. */
export function entryJson(entry: ImageEntry): string {
  const optional = {
    CreatedFor: entry.createdFor || undefined,
    BuildBranch: entry.buildBranch || undefined,
    BuildCommitId: entry.buildCommitId || undefined,
    OwnerUsers: entry.ownerUsers.length > 0 ? entry.ownerUsers : undefined,
    OwnerGroups: entry.ownerGroups.length > 0 ? entry.ownerGroups : undefined,
    Tags: entry.tags.size > 0 ? Object.fromEntries(entry.tags) : undefined,
  };
  return JSON.stringify({
    Name: entry.name,
    Identity: entry.identity,
    CreatedOn: formatTime(entry.createdOn),
    CreatedBy: entry.createdBy,
    ExpiresAt: isZeroTime(entry.expiresAt) ? null : formatTime(entry.expiresAt),
    DataBytes: entry.dataBytes,
    Inodes: entry.inodes,
    RegularInodes: entry.regularInodes,
    ComputedInodes: entry.computedInodes,
    FilterLines: entry.filterLines ?? null,
    Triggers: entry.triggers ?? null,
    Packages: entry.packages,
    ...optional,
  });
}
