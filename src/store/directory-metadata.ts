/** `.metadata` of an image directory: its owner group. Absent if there is none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { encodeOnce } from '../wire/gob/encoder.ts';
import { DirectoryMetadata } from '../wire/messages/image.ts';
import { checksumState, sha512, writeWhole } from './checksummed-file.ts';
import { type Disk, errno } from './disk.ts';

const METADATA_FILE = '.metadata';
const FILE_MODE = 0o644;

/** Throws an Error saying what is wrong with the file. */
export async function readOwnerGroup(directory: string): Promise<string> {
  let file: Buffer;
  try {
    file = readFileSync(join(directory, METADATA_FILE));
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return '';
    throw new Error(`cannot read: ${errno(thrown)}`, { cause: thrown });
  }
  const { value, used } = decodeOnce(DirectoryMetadata, file);
  const state = checksumState(file, used, await sha512(file.subarray(0, used)));
  if (state !== 'good') throw new Error(`checksum is ${state}`);
  return value.OwnerGroup;
}

export async function writeOwnerGroup(
  disk: Disk,
  directory: string,
  temporary: string,
  ownerGroup: string,
): Promise<void> {
  const path = join(directory, METADATA_FILE);
  if (ownerGroup !== '') {
    const gob = encodeOnce(DirectoryMetadata, { OwnerGroup: ownerGroup });
    await writeWhole(disk, path, temporary, [gob, await sha512(gob)], FILE_MODE);
    return;
  }
  try {
    disk.unlink(path);
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return;
    throw thrown;
  }
  await disk.syncPath(directory);
}
