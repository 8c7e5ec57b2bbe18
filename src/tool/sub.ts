/** Running machines: their agent, subd, knows the tree of the machine and hands out its files. */
import { ImageServerError } from '../errors.ts';
import { walkTree } from '../image/tree.ts';
import { sha512Hex } from '../sha512.ts';
import { GobDecoder } from '../wire/gob/decoder.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import {
  GetFileResponse,
  NumberedInode,
  PollRequest,
  PollResponse,
  SeparatedTree,
} from '../wire/messages/sub.ts';
import type { Schema, ValueOf } from '../wire/schema.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { dialPeer } from './dial.ts';
import { prefixed } from './errors.ts';
import { spoolContent } from './spool.ts';
import { missingObjects, Uploader } from './upload.ts';
import type { WatchedChannel, WatchedClient } from './watched-client.ts';

const SUB_PORT = 6969;
/** More than any machine has files. */
const MAX_INODES = 1 << 24;
/** Contents up to this size are kept in memory until they are sent. */
const KEPT = 8 * 1024 * 1024;
/**
 * Bytes of the paths of one call. The agent may hold its answers back until it has the last of them, and takes no more
 * while its answers are not read: the paths must go out at once.
 */
const CALL_BYTES = 32 * 1024;

/** The tree of a running machine as its agent scanned it last. */
export async function pollSub(context: Context, name: string): Promise<FileSystem> {
  const client = await dialPeer(context.flags, name, SUB_PORT);
  const close = context.cleanUp(() => client.close());
  try {
    const channel = await client.open('Subd.Poll');
    await channel.send(PollRequest, { HaveGeneration: 0n, ShortPollOnly: false });
    await channel.flush();
    const refusal = await channel.readLine();
    if (refusal !== '') throw new ImageServerError('INVALID_REQUEST', refusal);
    const reply = await channel.receive(PollResponse);
    // The agent hangs up on those who may only ask how it is.
    if (!reply) throw new ImageServerError('UNAVAILABLE', 'EOF (does the certificate allow Subd.Poll?)');
    // Later polls have it: the agent has not finished its first scan.
    if (!reply.FileSystemFollows) throw new ImageServerError('UNAVAILABLE', 'no poll data');
    return await receiveTree(client, channel);
  } finally {
    close();
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new ImageServerError('UNAVAILABLE', 'EOF');
  return value;
}

async function receiveTree(client: WatchedClient, channel: WatchedChannel): Promise<FileSystem> {
  const decoder = new GobDecoder(channel.messages);
  const next = <S extends Schema>(schema: S): ValueOf<S> | Promise<ValueOf<S>> => {
    const value = decoder.decode(schema);
    return value instanceof Promise ? client.watch(value.then(present)) : (present(value) as ValueOf<S>);
  };
  const { FileSystem: tree, InodeTableLength } = await next(SeparatedTree);
  if (InodeTableLength > MAX_INODES)
    throw new ImageServerError('TOO_LARGE', `the machine has ${InodeTableLength} inodes`);
  const inodes: NonNullable<FileSystem['InodeTable']> = new Map();
  for (let left = Number(InodeTableLength); left > 0; left--) {
    const coming = next(NumberedInode);
    const { InodeNumber, GenericInode } = coming instanceof Promise ? await coming : coming;
    inodes.set(InodeNumber, GenericInode);
  }
  return { ...tree, InodeTable: inodes };
}

/** A content that the server lacks, and a path where the machine has it. */
interface Wanted {
  readonly hash: string;
  readonly size: number;
  readonly path: string;
}

/** The contents of a tree, each once. A path with a newline cannot be asked for: another one is taken if there is one. */
function contentsOf(tree: FileSystem): Wanted[] {
  const contents = new Map<string, Wanted>();
  for (const { path, inode } of walkTree(tree)) {
    if (inode.Kind !== 'regular' || inode.Size === 0n) continue;
    const known = contents.get(inode.Hash);
    if (known && !(known.path.includes('\n') && !path.includes('\n'))) continue;
    contents.set(inode.Hash, { hash: inode.Hash, size: Number(inode.Size), path });
  }
  return [...contents.values()];
}

/**
 * Sees to it that the server has all contents of the tree of a running machine. Throws CONFLICT, after it named the files,
 * if some are no longer what was scanned; these are not uploaded.
 */
export async function uploadFromSub(context: Context, name: string, tree: FileSystem): Promise<void> {
  const wanted = await missingObjects(await context.client(), contentsOf(tree));
  if (wanted.length === 0) return;
  const odd = wanted.find(({ path }) => path.includes('\n'));
  if (odd)
    throw new ImageServerError(
      'INVALID_NAME',
      `${JSON.stringify(odd.path)}: a name with a newline cannot be asked for (-deleteFilter drops paths)`,
    );
  const client = await dialPeer(context.flags, name, SUB_PORT);
  const close = context.cleanUp(() => client.close());
  const task = context.progress.start(
    'fetching',
    wanted.reduce((sum, { size }) => sum + size, 0),
  );
  const uploader = new Uploader(context);
  const changed: string[] = [];
  try {
    for (let at = 0; at < wanted.length; ) {
      const batch = callFrom(wanted, at);
      at += batch.length;
      changed.push(...(await fetchFiles(context, client, batch, uploader, (bytes) => task.add(bytes))));
    }
    task.end();
    for (const path of changed) context.io.say(`Contents for file changed: ${path}`);
    if (changed.length > 0) throw new ImageServerError('CONFLICT', 'one or more files on the sub changed');
    await uploader.finish();
  } finally {
    task.end();
    close();
  }
}

/** As many of the files as one call may ask for. */
function callFrom(wanted: readonly Wanted[], start: number): Wanted[] {
  const batch: Wanted[] = [];
  for (let bytes = 0; bytes < CALL_BYTES && start + batch.length < wanted.length; ) {
    const next = wanted[start + batch.length] as Wanted;
    batch.push(next);
    bytes += encodeText(next.path).length + 1;
  }
  return batch;
}

/** Resolves with the paths of those that are not what was wanted. */
async function fetchFiles(
  context: Context,
  client: WatchedClient,
  batch: readonly Wanted[],
  uploader: Uploader,
  onBytes: (bytes: number) => void,
): Promise<string[]> {
  const channel = await client.open('Subd.GetFiles');
  // An empty line is the end.
  await channel.write(encodeText(`${batch.map(({ path }) => `${path}\n`).join('')}\n`));
  await channel.flush();
  const changed: string[] = [];
  for (const one of batch) {
    const same = await prefixed(`${one.path}: `, () => receiveFile(context, channel, one, uploader, onBytes));
    if (!same) changed.push(one.path);
  }
  channel.end();
  return changed;
}

/** Whether the file was what is wanted; it is uploaded then. */
async function receiveFile(
  context: Context,
  channel: WatchedChannel,
  { hash, size: expected }: Wanted,
  uploader: Uploader,
  onBytes: (bytes: number) => void,
): Promise<boolean> {
  const size = Number(present(await channel.receive(GetFileResponse)).Size);
  if (size <= KEPT) {
    const bytes = Buffer.from(await channel.take(size));
    onBytes(size);
    const same = size === expected && sha512Hex(bytes) === hash;
    if (same) await uploader.add({ hash, size, bytes });
    return same;
  }
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of channel.bytes(size)) {
      yield piece;
      onBytes(piece.length);
    }
  };
  const found = await spoolContent(context, pieces(), size, async (content) => {
    if (content.hash !== hash) return;
    await uploader.add(content);
    await uploader.flush();
  });
  return found === hash;
}
