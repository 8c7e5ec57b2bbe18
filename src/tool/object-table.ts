/** All commands of objecttool. */
import type { Command } from './command.ts';
import { add } from './object-commands/add.ts';
import { check } from './object-commands/check.ts';
import { get } from './object-commands/get.ts';
import { mget } from './object-commands/mget.ts';
import { testBandwidthFromServer, testBandwidthToServer } from './object-commands/test-bandwidth.ts';

export const OBJECT_COMMANDS: readonly Command[] = [
  add,
  check,
  get,
  mget,
  testBandwidthFromServer,
  testBandwidthToServer,
];
