/** Flags of imagetool; names, defaults and meanings are the original's where it has them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  booleanFlag,
  durationFlag,
  type Flag,
  type FlagType,
  type FlagValues,
  flag,
  intFlag,
  listFlag,
  sizeFlag,
  stringFlag,
  uintFlag,
} from '../flags/flags.ts';

const MINUTE = 60_000_000_000n;

const requiredPathsFlag: FlagType<readonly string[]> = {
  name: 'list',
  parse(text) {
    const entries = text.split(',');
    for (const entry of entries) if (!/^.+:.$/.test(entry)) throw new Error(`invalid entry: ${entry}`);
    return entries;
  },
  format: (value) => value.join(','),
};

const EXCLUDED = '/data/.*,/home/.*,/tmp/.*,/var/log/.*,/var/mail/.*,/var/spool/.*,/var/tmp/.*'.split(',');

function accepted<T>(type: FlagType<T>, value: T): Flag<T> {
  return flag(type, value, 'Accepted for compatibility; has no effect');
}

export const TOOL_FLAGS = {
  imageServerHostname: flag(stringFlag, 'localhost', 'Host name of the image server'),
  imageServerPortNum: flag(uintFlag, 6971, 'Port of the image server'),
  certDirectory: flag(
    stringFlag,
    join(homedir(), '.ssl'),
    'Directory with NAME.cert and NAME.key pairs; empty = no certificates',
  ),
  serverCAfile: flag(stringFlag, '', 'CA to verify the certificate of the server with; empty = not verified'),
  allowPlaintext: flag(
    booleanFlag,
    false,
    'Talk to a server without TLS although there are certificates to show',
  ),
  idleTimeout: flag(durationFlag, 5n * MINUTE, 'Give up when the server stays silent this long; 0 = never'),
  timeout: flag(durationFlag, 0n, 'How long the server waits for an image that is not there yet'),
  expiresIn: flag(durationFlag, 0n, 'Life of the image (at least 15m); 0 = for ever'),
  filterFile: flag(stringFlag, '', 'Filter of paths that show and diff leave out'),
  deleteFilter: flag(stringFlag, '', 'Filter of paths that are dropped by addi, adds and diff'),
  buildLog: flag(stringFlag, '', 'Build log of the new image: a file or an http(s) URL'),
  releaseNotes: flag(stringFlag, '', 'Release notes of the new image: a file or an http(s) URL'),
  computedFiles: flag(stringFlag, '', 'List of computed files of the new image: lines PATH SOURCE, or .json'),
  computedFilesRoot: flag(stringFlag, '', 'Tree with the contents of computed files, for get and tar'),
  copyMtimesFrom: flag(stringFlag, '', 'Image from which add takes the times of files that are the same'),
  requiredPaths: flag(
    requiredPathsFlag,
    ['/etc:d', '/etc/passwd:f', '/usr:d', '/usr/bin:d'],
    'path:type list that every image that is not sparse must have; types b c d f l p',
  ),
  scanExcludeList: flag(
    listFlag,
    EXCLUDED,
    'Expressions of paths that scan-filtered-files and copy-filtered-files leave out',
  ),
  skipFields: flag(stringFlag, '', 'Columns that show and diff leave out: m l u g s t n d'),
  ignoreExpiring: flag(booleanFlag, false, 'Ignore expiring images in find-latest-image'),
  hypervisorHostname: flag(stringFlag, '', 'Host name of the hypervisor that scans machines given as v:HOST'),
  hypervisorPortNum: flag(uintFlag, 6976, 'Port of the hypervisor'),
  fleetManagerHostname: flag(
    stringFlag,
    '',
    'Host name of the fleet manager that is asked for the hypervisor, unless that is given; neither = localhost',
  ),
  fleetManagerPortNum: flag(uintFlag, 6977, 'Port of the fleet manager'),
  compress: flag(booleanFlag, false, 'gzip the output of tar'),
  noSameOwner: flag(booleanFlag, false, 'get: leave the owner as it comes (for ordinary users)'),
  makeParents: flag(booleanFlag, false, 'mkdir: make missing parents, accept what exists'),
  p: flag(booleanFlag, false, 'Short for -makeParents'),
  dryRun: flag(booleanFlag, false, 'delunrefobj: tell what would be deleted, delete nothing'),
  json: flag(booleanFlag, false, 'Print JSON where a script would want it'),
  detailedExitCodes: flag(
    booleanFlag,
    false,
    'Exit 2 bad request, 3 not found, 4 exists, 5 denied, 6 no connection, 7 integrity, instead of 1',
  ),
  debug: accepted(booleanFlag, false),
  logDebugLevel: flag(
    intFlag,
    -1,
    'From 0 on, patch-directory and the commands for filtered files say what they are doing',
  ),
  logDatestamps: accepted(booleanFlag, false),
  logSubseconds: accepted(booleanFlag, false),
  allocateBlocks: accepted(booleanFlag, false),
  makeBootable: accepted(booleanFlag, true),
  minFreeBytes: accepted(sizeFlag, 4 * 1024 * 1024),
  roundupPower: accepted(uintFlag, 24),
  tableType: accepted(stringFlag, 'msdos'),
} as const;

/** Flags that only objecttool has. */
export const OBJECT_ONLY_FLAGS = {
  chunkSize: flag(uintFlag, 65_535, 'Bytes of a chunk in bandwidth tests, at most 65535'),
  testDuration: flag(durationFlag, 10_000_000_000n, 'How long bandwidth tests take'),
} as const;

/** What commands go by, whichever program they belong to. */
export type ToolFlags = FlagValues<typeof TOOL_FLAGS & typeof OBJECT_ONLY_FLAGS>;

/** Flags of objecttool. */
export const OBJECT_TOOL_FLAGS = {
  objectServerHostname: flag(stringFlag, 'localhost', 'Host name of the object server'),
  objectServerPortNum: flag(uintFlag, 6971, 'Port of the object server'),
  certDirectory: TOOL_FLAGS.certDirectory,
  serverCAfile: TOOL_FLAGS.serverCAfile,
  allowPlaintext: TOOL_FLAGS.allowPlaintext,
  idleTimeout: TOOL_FLAGS.idleTimeout,
  json: TOOL_FLAGS.json,
  detailedExitCodes: TOOL_FLAGS.detailedExitCodes,
  ...OBJECT_ONLY_FLAGS,
  debug: TOOL_FLAGS.debug,
  logDebugLevel: accepted(intFlag, -1),
  logDatestamps: TOOL_FLAGS.logDatestamps,
  logSubseconds: TOOL_FLAGS.logSubseconds,
} as const;
