/** What a line of a listing shows of an inode, taken from its encoded bytes. */
import { type InodePlaces, Part, type PlacedType } from '../wire/inode-places.ts';

const NONE = Buffer.alloc(0);
const NO_HASH = new Uint8Array(64);

export class ListedInode {
  mode = 0;
  uid = 0;
  gid = 0;
  size: number | bigint = 0;
  seconds = 0;
  hash = NO_HASH;
  readonly #hash = new Uint8Array(64);
  /** Target or source, a run of bytes. */
  text: Uint8Array = NONE;
  textStart = 0;
  textEnd = 0;

  take(places: InodePlaces, place: number, { parts, skips }: PlacedType): void {
    const cursor = places.cursorAt(place);
    this.mode = this.uid = this.gid = this.size = this.seconds = 0;
    this.textStart = this.textEnd = 0;
    let hashed = false;
    for (let number = -1; cursor.at < cursor.end; ) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      switch (parts[number]) {
        case Part.Number:
          cursor.uint();
          break;
        case Part.Mode:
          this.mode = cursor.uint();
          break;
        case Part.Uid:
          this.uid = cursor.uint();
          break;
        case Part.Gid:
          this.gid = cursor.uint();
          break;
        case Part.Seconds: {
          const { at } = cursor;
          this.seconds = cursor.int();
          if (!Number.isFinite(this.seconds)) {
            cursor.at = at;
            this.seconds = Number(cursor.bigInt());
          }
          break;
        }
        case Part.Size: {
          const { at } = cursor;
          this.size = cursor.uint();
          if (this.size === Number.POSITIVE_INFINITY) {
            cursor.at = at;
            this.size = cursor.bigUint();
          }
          break;
        }
        case Part.Hash:
          cursor.hashInto(this.#hash, 0);
          this.hash = this.#hash;
          hashed = true;
          break;
        case Part.Text: {
          const length = cursor.uint();
          this.text = cursor.bytes;
          this.textStart = cursor.at;
          cursor.skip(length);
          this.textEnd = cursor.at;
          break;
        }
        default:
          skips[number]?.(cursor);
      }
    }
    if (!hashed) this.hash = NO_HASH;
  }
}
