/** Flags of the daemon; names and defaults are the original's where it has them. */
import {
  booleanFlag,
  durationFlag,
  type FlagValues,
  flag,
  intFlag,
  sizeFlag,
  stringFlag,
  uintFlag,
} from '../flags/flags.ts';
import { HTTP_FLAGS } from './http.ts';
import { LOG_FLAGS } from './log.ts';
import { REPLICATION_FLAGS } from './replication.ts';
import { SECURITY_FLAGS } from './security.ts';

const HOUR = 3_600_000_000_000n;
const MINUTE = 60_000_000_000n;

export const DAEMON_FLAGS = {
  ...REPLICATION_FLAGS,
  portNum: flag(uintFlag, 6971, 'Port for HTTP and RPC; 0 = any free one'),
  listenAddress: flag(stringFlag, '::', 'Address to listen on'),
  imageDir: flag(stringFlag, '/var/lib/imageserver', 'Image directory'),
  objectDir: flag(stringFlag, '/var/lib/objectserver', 'Object directory'),
  allowRoot: flag(booleanFlag, false, 'Run as root nevertheless'),
  ...SECURITY_FLAGS,
  ...HTTP_FLAGS,
  ...LOG_FLAGS,
  maximumConnections: flag(uintFlag, 10_000, 'Connections in all'),
  maximumConnectionsPerPeer: flag(
    uintFlag,
    2_000,
    'Connections of one peer address (IPv6: of one /64 network)',
  ),
  firstBytesTimeout: flag(
    durationFlag,
    15_000_000_000n,
    'Time within which a connection must say what it is',
  ),
  tlsHandshakeTimeout: flag(durationFlag, 15_000_000_000n, 'Time for a TLS handshake'),
  methodLineTimeout: flag(durationFlag, 30_000_000_000n, 'Time for a method line, once it has begun'),
  stallTimeout: flag(
    durationFlag,
    300_000_000_000n,
    'A peer that moves no byte for so long in the middle of a call is cut off',
  ),
  maximumMethodLine: flag(sizeFlag, 4096, 'Longest method line'),
  shutdownTimeout: flag(durationFlag, 30_000_000_000n, 'Time that calls under way get when the server stops'),
  minFreeBytes: flag(sizeFlag, 64 * 1024 * 1024, 'Uploads are refused when less than this would stay free'),
  trashGracePeriod: flag(
    durationFlag,
    24n * HOUR,
    'Deleted images can be brought back this long; 0 = not at all',
  ),
  protectedImages: flag(
    stringFlag,
    '',
    'File with a filter of images that nobody may delete; read at each deletion; empty = none',
  ),
  objectGracePeriod: flag(durationFlag, 10n * MINUTE, 'Collection leaves uploaded objects alone this long'),
  imageServerMaxUnrefData: flag(sizeFlag, 0, 'Unreferenced data kept before it is collected; 0 = no limit'),
  imageServerMaxUnrefAge: flag(
    durationFlag,
    0n,
    'Age at which unreferenced objects are collected; 0 = never',
  ),
  objectServerCleanupStartPercent: flag(
    intFlag,
    95,
    'Use of the file system at which collection starts, percent',
  ),
  objectServerCleanupStopPercent: flag(
    intFlag,
    90,
    'Use of the file system at which collection stops, percent',
  ),
  objectServerCleanupStartSize: flag(
    sizeFlag,
    0,
    'Unreferenced data at which collection starts when an object is about to be written; 0 = no limit',
  ),
  objectServerCleanupStopSize: flag(sizeFlag, 0, 'Unreferenced data at which that collection stops'),
} as const;
export type DaemonFlags = FlagValues<typeof DAEMON_FLAGS>;
