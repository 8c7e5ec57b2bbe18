/** Flags of imagetool; names and defaults are the original's. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  booleanFlag,
  durationFlag,
  type FlagValues,
  flag,
  listFlag,
  stringFlag,
  uintFlag,
} from '../flags/flags.ts';

export const TOOL_FLAGS = {
  imageServerHostname: flag(stringFlag, 'localhost', 'Host name of the image server'),
  imageServerPortNum: flag(uintFlag, 6971, 'Port of the image server'),
  certDirectory: flag(
    stringFlag,
    join(homedir(), '.ssl'),
    'Directory with NAME.cert and NAME.key pairs; empty = none',
  ),
  timeout: flag(durationFlag, 0n, 'How long the server waits for an image that is not there yet'),
  expiresIn: flag(durationFlag, 0n, 'Life of the image; 0 = for ever'),
  filterFile: flag(stringFlag, '', 'Filter hiding paths from show and diff'),
  deleteFilter: flag(stringFlag, '', 'Filter of paths to drop in addi and diff'),
  buildLog: flag(stringFlag, '', 'Build log: a file or a URL'),
  releaseNotes: flag(stringFlag, '', 'Release notes: a file or a URL'),
  computedFilesRoot: flag(stringFlag, '', 'Tree with the contents of computed files, for get and tar'),
  requiredPaths: flag(
    listFlag,
    ['/etc:d', '/etc/passwd:f', '/usr:d', '/usr/bin:d'],
    'path:type list every full image must have',
  ),
  skipFields: flag(stringFlag, '', 'Columns to leave out in show and diff: m l u g s t n d'),
  ignoreExpiring: flag(booleanFlag, false, 'Ignore expiring images in find-latest-image'),
  compress: flag(booleanFlag, false, 'gzip the output of tar'),
  noSameOwner: flag(booleanFlag, false, 'get: keep the present user as owner (for ordinary users)'),
  json: flag(booleanFlag, false, 'Print JSON where a script would want it'),
  detailedExitCodes: flag(
    booleanFlag,
    false,
    'Exit 3 not found, 4 exists, 5 denied, 6 no connection, 7 integrity, instead of 1',
  ),
  makeParents: flag(booleanFlag, false, 'mkdir: make missing parents, accept what exists'),
  debug: flag(booleanFlag, false, 'Accepted for compatibility; has no effect'),
} as const;
export type ToolFlags = FlagValues<typeof TOOL_FLAGS>;
