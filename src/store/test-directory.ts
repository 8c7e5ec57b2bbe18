/** Where tests make their directories: in memory if the machine has such a place, since every write is synced. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';

export function testDirectory(prefix: string, parent = existsSync(MEMORY) ? MEMORY : tmpdir()): string {
  return mkdtempSync(join(parent, prefix));
}
