/** What the original keeps on disk beside images (spec: storage.md 4). */
import { hash, struct, time, uint64, type ValueOf } from '../schema.ts';

export const UnreferencedObject = struct('main.unreferencedObject', {
  Hash: hash,
  Length: uint64,
  Age: time,
});
export type UnreferencedObject = ValueOf<typeof UnreferencedObject>;
