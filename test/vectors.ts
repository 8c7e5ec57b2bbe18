/** Where the golden vectors are, if they are: beside the project. Tests that need them skip, visibly, without them. */
import { describe } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dir, '..', '..', 'shared', 'vectors');

export const haveVectors = existsSync(root);

/** Path of a vector file or directory. */
export function vectorsPath(...parts: string[]): string {
  return join(root, ...parts);
}

/** A `describe` that is reported as skipped when the vectors are not there. */
export const describeWithVectors = haveVectors ? describe : describe.skip;
