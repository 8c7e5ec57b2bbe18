/** The daemon as a replica: flags, and the replicator made from them. */
import { readFileSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import {
  booleanFlag,
  type FlagType,
  type FlagValues,
  flag,
  sizeFlag,
  stringFlag,
  uintFlag,
} from '../flags/flags.ts';
import { parseFilter } from '../image/filter.ts';
import { createReplicator, type Replicator } from '../replication/replicator.ts';
import { selectImages } from '../replication/select-images.ts';
import { createSrpcMaster } from '../replication/srpc-link.ts';
import type { SrpcClient } from '../srpc/client.ts';
import type { Stores } from '../store/types.ts';

const fractionFlag: FlagType<number> = {
  name: 'fraction',
  parse: (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new Error('must be between 0 and 1');
    return value;
  },
  format: String,
};

export const REPLICATION_FLAGS = {
  imageServerHostname: flag(stringFlag, '', 'Host name of the replication master; empty = this is a master'),
  imageServerPortNum: flag(uintFlag, 6971, 'Port of the replication master'),
  archiveMode: flag(booleanFlag, false, 'Ignore deletions of the master; leave out expiring images'),
  archiveExpiringImages: flag(booleanFlag, false, 'In archive mode, replicate expiring images too'),
  replicationIncludeFilter: flag(
    stringFlag,
    '',
    'File with a filter of the images to replicate; empty = all',
  ),
  replicationExcludeFilter: flag(
    stringFlag,
    '',
    'File with a filter of images not to replicate; empty = none',
  ),
  maximumDeletionFraction: flag(
    fractionFlag,
    0.2,
    'Share of its images that a replica deletes without asking; what is more is held back (1 = never)',
  ),
  srpcProxy: flag(stringFlag, '', 'Known to the original; must be empty, proxies are not supported'),
  replicationBandwidth: flag(sizeFlag, 0, 'Bytes of objects per second taken from the master; 0 = no limit'),
} as const;
export type ReplicationFlags = FlagValues<typeof REPLICATION_FLAGS>;

export interface ReplicationOptions {
  readonly stores: Pick<Stores, 'images' | 'objects'>;
  readonly log: (line: string) => void;
  /** Dials the master, with the server's certificate if it has one. */
  readonly connect: (host: string, port: number, signal?: AbortSignal) => Promise<SrpcClient>;
}

function filterLines(file: string): readonly string[] | undefined {
  if (file === '') return undefined;
  try {
    return parseFilter(readFileSync(file, 'utf8')).FilterLines;
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', `cannot read filter: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Checks the flags; what comes back makes the replicator, not yet started. Undefined on a master. Throws what is wrong
 * with the flags, before anything is opened.
 */
export function replicationOf(
  flags: ReplicationFlags,
): ((options: ReplicationOptions) => Replicator) | undefined {
  const { imageServerHostname: host, imageServerPortNum: port } = flags;
  if (flags.srpcProxy !== '')
    throw new ImageServerError('INVALID_REQUEST', '-srpcProxy is not supported: leave it empty');
  if (host === '') {
    if (flags.archiveMode)
      throw new ImageServerError('INVALID_REQUEST', 'replication master required in archive mode');
    return undefined;
  }
  const config = {
    archiveMode: flags.archiveMode,
    archiveExpiringImages: flags.archiveExpiringImages,
    maximumDeletionFraction: flags.maximumDeletionFraction,
    bandwidth: flags.replicationBandwidth,
    selects: selectImages(
      filterLines(flags.replicationIncludeFilter),
      filterLines(flags.replicationExcludeFilter),
    ),
  };
  return ({ stores, log, connect }) =>
    createReplicator(config, {
      images: stores.images,
      objects: stores.objects,
      master: createSrpcMaster({ host, port, connect: (signal) => connect(host, port, signal) }),
      log,
    });
}
