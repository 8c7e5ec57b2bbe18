/**
 * The parameters of AddImage from a long JSON text, in slices: the inode table is taken apart and decoded entry by entry,
 * so that a large image does not keep everybody else waiting.
 */
import { ImageServerError } from '../../errors.ts';
import { fromJson } from '../../wire/json.ts';
import { type FileSystem, GenericInode } from '../../wire/messages/filesystem.ts';
import { AddImageRequest } from '../../wire/messages/imageserver.ts';
import { type Member, skipSpace, skipValue, walkMembers } from './raw-json.ts';

const SLICE_MS = 4;
const LOOK_EVERY = 64;
/** Where the inode table is. */
const WAY = ['Image', 'FileSystem', 'InodeTable'];

type InodeTable = NonNullable<FileSystem['InodeTable']>;

/** Gives others a turn when a slice has taken its time. */
class Slices {
  #until = performance.now() + SLICE_MS;
  #count = 0;

  async pause(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#until = performance.now() + SLICE_MS;
  }
  due(): boolean {
    return ++this.#count % LOOK_EVERY === 0 && performance.now() > this.#until;
  }
}

function decodeEntry(text: string, { name, start }: Member, end: number, into: InodeTable): void {
  const where = `${WAY.join('.')}.${name.slice(0, 30)}`;
  if (!/^\d{1,20}$/.test(name) || BigInt.asUintN(64, BigInt(name)) !== BigInt(name))
    throw new ImageServerError('INVALID_REQUEST', `${where}: an inode number is wanted`);
  try {
    const inode = fromJson(GenericInode, text.slice(start, end)) as GenericInode | null;
    into.set(BigInt(name), inode as GenericInode);
  } catch (thrown) {
    if (!(thrown instanceof ImageServerError)) throw thrown;
    throw new ImageServerError(thrown.code, `${where}: ${thrown.message}`, { cause: thrown });
  }
}

async function decodeTable(
  text: string,
  at: number,
  slices: Slices,
): Promise<{ table: InodeTable; end: number }> {
  const table: InodeTable = new Map();
  const walk = walkMembers(text, at);
  for (let step = walk.next(); ; ) {
    if (step.done) return { table, end: step.value };
    const end = skipValue(text, step.value.start);
    decodeEntry(text, step.value, end, table);
    if (slices.due()) await slices.pause();
    step = walk.next(end);
  }
}

/** The text of an object without what lies at the end of the way, and that, decoded. */
interface Split {
  readonly rest: string;
  readonly table: InodeTable | undefined;
  readonly end: number;
}

async function split(text: string, at: number, depth: number, slices: Slices): Promise<Split> {
  const kept: string[] = [];
  let table: InodeTable | undefined;
  const walk = walkMembers(text, at);
  for (let step = walk.next(); ; ) {
    if (step.done) return { rest: `{${kept.join(',')}}`, table, end: step.value };
    const { name, start } = step.value;
    const onWay = name === WAY[depth] && text[start] === '{';
    let end: number;
    if (onWay && depth === WAY.length - 1) ({ table, end } = await decodeTable(text, start, slices));
    else if (onWay) {
      const inner = await split(text, start, depth + 1, slices);
      kept.push(`${JSON.stringify(name)}:${inner.rest}`);
      ({ table, end } = inner);
    } else {
      end = skipValue(text, start);
      kept.push(`${JSON.stringify(name)}:${text.slice(start, end)}`);
    }
    step = walk.next(end);
  }
}

/** Throws INVALID_REQUEST naming the field. */
export async function decodeImageText(text: string): Promise<AddImageRequest> {
  const slices = new Slices();
  try {
    const { rest, table, end } = await split(text, skipSpace(text, 0), 0, slices);
    if (skipSpace(text, end) !== text.length) throw new SyntaxError('text after the value');
    const request = fromJson(AddImageRequest, rest) as AddImageRequest;
    if (table && request.Image?.FileSystem) request.Image.FileSystem.InodeTable = table;
    return request;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new ImageServerError('INVALID_REQUEST', `invalid JSON: ${thrown.message}`, { cause: thrown });
  }
}
