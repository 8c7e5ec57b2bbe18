/** What a complete list of the master means for what is here. Pure. */
import type { ImageEntry } from '../store/types.ts';
import type { ImageIdentity } from './master-link.ts';

export type Difference = 'same' | 'expiry' | 'replaced';

/**
 * Compares what is here with what the master has under the same name. The protocol knows no version numbers: an image
 * is the same if it was created at the same instant by the same user.
 */
export function compareIdentity(
  here: Pick<ImageEntry, 'createdOn' | 'createdBy' | 'expiresAt'>,
  there: Pick<ImageIdentity, 'createdOn' | 'createdBy' | 'expiresAt'>,
): Difference {
  if (here.createdOn.unixNanos !== there.createdOn.unixNanos || here.createdBy !== there.createdBy)
    return 'replaced';
  return here.expiresAt.unixNanos === there.expiresAt.unixNanos ? 'same' : 'expiry';
}

export interface Plan {
  /** Names to look at: not here, changed, or not known to be the same. */
  readonly look: string[];
  /** Names here that the master does not have. */
  readonly gone: string[];
  /** Directories here that the master does not have, children before parents. */
  readonly directoriesGone: string[];
}

export interface PlanInput {
  readonly listed: ReadonlySet<string>;
  readonly listedDirectories: ReadonlySet<string>;
  readonly here: Iterable<ImageEntry>;
  readonly directoriesHere: readonly string[];
  readonly identities: ReadonlyMap<string, ImageIdentity> | undefined;
  /** Names that changed while the list was on its way: their events decide. */
  readonly touched: ReadonlySet<string>;
}

export function planReconcile(input: PlanInput): Plan {
  const look: string[] = [];
  const gone: string[] = [];
  for (const entry of input.here) {
    const { name } = entry;
    if (input.touched.has(name)) continue;
    const identity = input.identities?.get(name);
    if (!input.listed.has(name)) {
      // A copy of what is damaged at the master is worth more than ever.
      if (!identity?.unreadable) gone.push(name);
      continue;
    }
    if (!identity || compareIdentity(entry, identity) !== 'same') look.push(name);
  }
  const directoriesGone = input.directoriesHere
    .filter((directory) => directory !== '.' && !input.listedDirectories.has(directory))
    .toReversed();
  return { look, gone, directoriesGone };
}

/** Under which name an archiver keeps an image that the master replaced: NAME.replaced-<when it was created, UTC>. */
export function replacedName(name: string, createdOn: ImageEntry['createdOn']): string {
  const seconds = createdOn.unixNanos / 1_000_000_000n;
  const nanos = (((createdOn.unixNanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)
    .toString()
    .padStart(9, '0');
  const date = new Date(Number(seconds) * 1000);
  const stamp = Number.isNaN(date.getTime())
    ? createdOn.unixNanos.toString()
    : date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${name}.replaced-${stamp}.${nanos}Z`;
}
