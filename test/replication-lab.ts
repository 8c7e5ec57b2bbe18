/** Masters and replicas on loopback, ours and the original's, that can be killed and cut off; and how to compare them. */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import type { ClientKeyPair } from '../src/srpc/dial.ts';
import {
  GetReplicationStatusRequest,
  GetReplicationStatusResponse,
} from '../src/wire/messages/extensions.ts';
import { Directory, type Image } from '../src/wire/messages/image.ts';
import {
  AddImageRequest,
  AddImageResponse,
  ChangeImageExpirationRequest,
  ChangeImageExpirationResponse,
  ChownDirectoryRequest,
  ChownDirectoryResponse,
  DeleteImageRequest,
  DeleteImageResponse,
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
  GetImageRequest,
  GetImageResponse,
  MakeDirectoryRequest,
  MakeDirectoryResponse,
} from '../src/wire/messages/imageserver.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  GetObjectsRequest,
  GetObjectsResponse,
} from '../src/wire/messages/objectserver.ts';
import { type GoTime, ZERO_TIME } from '../src/wire/time.ts';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';

/** Where the original's programs are, if they are here: a directory with `run-original-server`, `bin`, `bin-head`. */
export const PEER_DIRECTORY = process.env.IMAGESERVER_PEER_DIR ?? '';

export type Kind = 'ours' | 'original' | 'original-head';

/** Masters and their replicas. */
export const PAIRS: readonly (readonly [master: Kind, replica: Kind])[] = [
  ['ours', 'ours'],
  ['original', 'ours'],
  ['original-head', 'ours'],
  ['ours', 'original'],
];

const BINARIES = { original: 'bin', 'original-head': 'bin-head' };

/** Whether servers of this kind can be started here. */
export const available = (kind: Kind): boolean =>
  kind === 'ours' ||
  (PEER_DIRECTORY !== '' && existsSync(join(PEER_DIRECTORY, BINARIES[kind], 'imageserver')));

/** How long a test waits for what must come, milliseconds: a machine busy with other things is no failure. */
const PATIENCE_MS = 60_000;

/**
 * A free port below those that the system gives to outgoing connections: a server that is away for a moment finds it
 * free again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** One server that keeps its port and directories over restarts. */
export class Node {
  /** With TLS: what calls are made with. */
  pair: ClientKeyPair | undefined;
  /** Ours is run from source; `executable`: what ships, where it has been built, and its tool with it. */
  program: 'source' | 'executable' = 'source';
  /** Of our server, beside that of the test. */
  environment: Record<string, string> = {};
  #ours: TestServer | undefined;
  #pid = 0;
  #log = '';

  constructor(
    readonly kind: Kind,
    readonly port: number,
    readonly args: readonly string[] = [],
    readonly directory = mkdtempSync(join(tmpdir(), 'imageserver-lab-')),
  ) {
    chmodSync(this.directory, 0o711);
  }

  static async start(
    kind: Kind,
    args: readonly string[] = [],
    program: Node['program'] = 'source',
  ): Promise<Node> {
    const node = new Node(kind, await freePort(), args);
    node.program = program;
    await node.start();
    return node;
  }

  get log(): string {
    return this.#log + (this.#ours?.stderr() ?? '');
  }
  get imageDirectory(): string {
    return join(this.directory, this.kind === 'ours' ? 'images' : 'img');
  }
  get objectDirectory(): string {
    return join(this.directory, this.kind === 'ours' ? 'objects' : 'obj');
  }
  /** Started again with other flags, on the same directories. */
  async again(args: readonly string[]): Promise<Node> {
    const node = new Node(this.kind, this.port, args, this.directory);
    node.program = this.program;
    await node.start();
    return node;
  }
  get pid(): number {
    return this.#ours?.pid ?? this.#pid;
  }
  get running(): boolean {
    return this.#ours !== undefined || this.#pid !== 0;
  }

  async start(): Promise<void> {
    if (this.kind === 'ours') {
      const { directory, port, args } = this;
      this.#ours = await startServer({
        directory,
        args: [`-portNum=${port}`, '-minFreeBytes=0', '-shutdownTimeout=1s', ...args],
        fromSource: this.program === 'source',
        env: this.environment,
      });
      return;
    }
    const child = Bun.spawn(
      [join(PEER_DIRECTORY, 'run-original-server'), String(this.port), this.directory, ...this.args],
      {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
        env: { ...process.env, PEER_BIN: join(PEER_DIRECTORY, BINARIES[this.kind]) },
      },
    );
    // The server outlives the script and keeps its stderr: only the first line is read.
    const first = await child.stdout.getReader().read();
    this.#pid = Number(new TextDecoder().decode(first.value ?? new Uint8Array()).trim());
    if (!this.#pid) throw new Error(`the original did not start: ${await new Response(child.stderr).text()}`);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ours = this.#ours;
    if (ours) {
      this.#ours = undefined;
      await ours.stop(signal);
      this.#log += ours.stderr();
    }
    if (this.#pid) {
      process.kill(this.#pid, signal);
      while (alive(this.#pid)) await new Promise((resolve) => setTimeout(resolve, 5));
      this.#pid = 0;
    }
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  client(): Promise<SrpcClient> {
    const { port, pair } = this;
    return connectSrpc({ host: '127.0.0.1', port, ...(pair ? { tls: { pairs: [pair] } } : {}) });
  }
  async with<T>(work: (client: SrpcClient) => Promise<T>): Promise<T> {
    const client = await this.client();
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  replicaArgs(port = this.port): string[] {
    return ['-imageServerHostname=127.0.0.1', `-imageServerPortNum=${port}`];
  }

  /** imagetool on this server. */
  tool(...args: string[]) {
    return runProgram([
      ...programCommand('imagetool', this.program === 'source'),
      '-certDirectory=',
      '-imageServerHostname=127.0.0.1',
      `-imageServerPortNum=${this.port}`,
      ...args,
    ]);
  }
  mkdir(name: string): Promise<unknown> {
    return this.with((client) =>
      client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
        DirectoryName: name,
        MakeAll: false,
      }),
    );
  }
  chown(name: string, group: string): Promise<unknown> {
    return this.with((client) =>
      client.call('ImageServer.ChownDirectory', ChownDirectoryRequest, ChownDirectoryResponse, {
        DirectoryName: name,
        OwnerGroup: group,
      }),
    );
  }
  delete(name: string): Promise<unknown> {
    return this.with((client) =>
      client.call('ImageServer.DeleteImage', DeleteImageRequest, DeleteImageResponse, { ImageName: name }),
    );
  }
  setExpiry(name: string, expiresAt: GoTime): Promise<unknown> {
    return this.with((client) =>
      client.call(
        'ImageServer.ChangeImageExpiration',
        ChangeImageExpirationRequest,
        ChangeImageExpirationResponse,
        { ImageName: name, ExpiresAt: expiresAt },
      ),
    );
  }
  /** Removes all objects that no image uses. */
  collect(): Promise<unknown> {
    return this.with((client) =>
      client.call(
        'ImageServer.DeleteUnreferencedObjects',
        DeleteUnreferencedObjectsRequest,
        DeleteUnreferencedObjectsResponse,
        { Percentage: 100, Bytes: 0n },
      ),
    );
  }
  /** Uploads the contents and adds an image of them. */
  async add(name: string, contents: readonly Uint8Array[], expiresAt = ZERO_TIME): Promise<void> {
    await this.with(async (client) => {
      await upload(client, contents);
      await client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
        ImageName: name,
        Image: imageOf(contents, expiresAt),
      });
    });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export const sha512 = (data: Uint8Array) => new Bun.CryptoHasher('sha512').update(data).digest('hex');

export async function upload(client: SrpcClient, contents: readonly Uint8Array[]): Promise<void> {
  const channel = await client.open('ObjectServer.AddObjects');
  const answers = (async () => {
    for (const _ of contents) {
      const answer = await channel.receive(AddObjectResponse);
      if (!answer || answer.ErrorString) throw new Error(answer?.ErrorString ?? 'EOF');
    }
  })();
  answers.catch(() => undefined);
  for (const data of contents) {
    await channel.send(AddObjectRequest, { Length: BigInt(data.length), ExpectedHash: sha512(data) });
    await channel.write(data);
  }
  await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
  await channel.flush();
  await answers;
  channel.end();
}

export function imageOf(contents: readonly Uint8Array[], expiresAt: GoTime = ZERO_TIME): Image {
  return {
    BuildBranch: 'branch',
    BuildCommitId: 'commit',
    BuildGitUrl: '',
    CreatedBy: '',
    CreatedFor: '',
    Filter: { FilterLines: ['/tmp/.*'] },
    FileSystem: {
      InodeTable: new Map(
        contents.map((data, index) => [
          BigInt(index + 1),
          {
            Kind: 'regular' as const,
            Mode: 0o100644,
            Uid: 1,
            Gid: 2,
            MtimeNanoSeconds: 3,
            MtimeSeconds: 4n,
            Size: BigInt(data.length),
            Hash: sha512(data),
          },
        ]),
      ),
      NumRegularInodes: BigInt(contents.length),
      TotalDataBytes: BigInt(contents.reduce((sum, data) => sum + data.length, 0)),
      DirectoryCount: 1n,
      DirectoryInode: {
        EntryList: contents.map((_, index) => ({ Name: `f${index}`, InodeNumber: BigInt(index + 1) })),
        EntriesByName: null,
        Mode: 0o40755,
        Uid: 0,
        Gid: 0,
      },
    },
    Triggers: null,
    ReleaseNotes: null,
    BuildLog: null,
    CreatedOn: ZERO_TIME,
    ExpiresAt: expiresAt,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [{ Name: 'p', Size: 1n, Version: '2' }],
    SourceImage: '',
    Tags: null,
  };
}

/**
 * Everything a server shows, as text that is equal for equal servers: directories with groups, images wholly decoded,
 * and that the contents of all their objects are there and right.
 */
export async function picture(node: Node): Promise<string> {
  return node.with(async (client) => {
    const lines: string[] = [];
    const directories = await client.open('ImageServer.ListDirectories');
    for (;;) {
      const directory = await directories.receive(Directory);
      if (!directory?.Name) break;
      lines.push(`${directory.Name}/ ${directory.Metadata.OwnerGroup}`);
    }
    directories.end();
    const listing = await client.open('ImageServer.ListImages');
    const names: string[] = [];
    for (let name = await listing.readLine(); name !== ''; name = await listing.readLine()) names.push(name);
    listing.end();
    const wanted = new Map<string, string>();
    for (const name of names) {
      const { Image } = await client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
        ImageName: name,
        IgnoreFilesystem: false,
        IgnoreFilesystemIfExpiring: false,
        Timeout: 0n,
      });
      if (!Image) {
        lines.push(`${name}: gone while looking`);
        continue;
      }
      const table = [...(Image.FileSystem?.InodeTable ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [, inode] of table)
        if (inode?.Kind === 'regular' && inode.Size > 0n) wanted.set(inode.Hash, name);
      lines.push(
        `${name}: ${JSON.stringify([Image, table], (key, value) =>
          key === 'offset' || key === 'InodeTable'
            ? undefined
            : typeof value === 'bigint'
              ? String(value)
              : value,
        )}`,
      );
    }
    lines.push(...(await wrongObjects(client, wanted)));
    return lines.sort().join('\n');
  });
}

/** Reads objects; says which are not what their hashes say. `wanted`: hash → whose it is. */
export async function wrongObjects(
  client: SrpcClient,
  wanted: ReadonlyMap<string, string>,
): Promise<string[]> {
  const hashes = [...wanted.keys()];
  if (hashes.length === 0) return [];
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: hashes });
  await channel.flush();
  const reply = await channel.receive(GetObjectsResponse);
  if (!reply || reply.ResponseString) return [`objects: ${reply?.ResponseString ?? 'EOF'}`];
  const wrong: string[] = [];
  for (const [index, hash] of hashes.entries()) {
    const hasher = new Bun.CryptoHasher('sha512');
    for await (const chunk of channel.bytes(Number(reply.ObjectSizes[index]))) hasher.update(chunk);
    if (hasher.digest('hex') !== hash) wrong.push(`object ${hash} of ${wanted.get(hash)} is wrong`);
  }
  channel.end();
  return wrong;
}

/** Owner group of a directory; undefined if there is no such directory. */
export async function ownerGroup(node: Node, name: string): Promise<string | undefined> {
  return node.with(async (client) => {
    const directories = await client.open('ImageServer.ListDirectories');
    let group: string | undefined;
    for (;;) {
      const directory = await directories.receive(Directory);
      if (!directory?.Name) break;
      if (directory.Name === name) group = directory.Metadata.OwnerGroup;
    }
    directories.end();
    return group;
  });
}

/** Names of directories and images. */
export async function listing(node: Node): Promise<string> {
  return node.with(async (client) => {
    const lines: string[] = [];
    const directories = await client.open('ImageServer.ListDirectories');
    for (;;) {
      const directory = await directories.receive(Directory);
      if (!directory?.Name) break;
      lines.push(`${directory.Name}/`);
    }
    directories.end();
    const images = await client.open('ImageServer.ListImages');
    for (let name = await images.readLine(); name !== ''; name = await images.readLine()) lines.push(name);
    images.end();
    return lines.sort().join('\n');
  });
}

const both = (nodes: readonly Node[], look: (node: Node) => Promise<string>) =>
  Promise.all(nodes.map((node) => look(node).catch((error: Error) => `${node.kind}: ${error.message}`)));

/**
 * Milliseconds until both show the same, to the last byte (the time that looking so closely takes is not counted).
 * Throws after `limitMs` with the differences.
 */
export async function converged(master: Node, replica: Node, limitMs = PATIENCE_MS): Promise<number> {
  const started = performance.now();
  for (;;) {
    const passed = performance.now() - started;
    const names = await both([master, replica], listing);
    if (names[0] === names[1] || passed > limitMs) {
      const [there, here] = await both([master, replica], picture);
      if (there === here) return passed;
      if (passed > limitMs) {
        const others = new Set(here?.split('\n'));
        const mine = new Set(there?.split('\n'));
        const missing = [...mine].filter((line) => !others.has(line));
        const extra = [...others].filter((line) => !mine.has(line));
        throw new Error(
          `not converged after ${Math.round(passed)} ms\nonly at the master: ${cut(missing)}\nonly at the replica: ${cut(extra)}\n${replica.log.slice(-3000)}`,
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const cut = (lines: string[]) => lines.map((line) => line.slice(0, 200)).join('\n  ');

/** Resolves when `condition` holds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A network that can be cut: between a replica and its master. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;
  /** Connections are refused. */
  down = false;
  /** Cuts everything when this many more bytes have come from the master. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** This many more bytes come from the master, then nothing, on connections that stay open: until the next cut. */
  holdAfter = Number.POSITIVE_INFINITY;
  /** A connection that has brought so many bytes since it was made brings no more, and stays open: until the next cut. */
  holdEachAfter = Number.POSITIVE_INFINITY;
  cuts = 0;
  /** Bytes of the master that were passed on. */
  received = 0;

  constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.down) {
        near.destroy();
        return;
      }
      const far = dial({ host: '127.0.0.1', port: target });
      let brought = 0;
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => from.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.on('data', (chunk: Buffer) => {
          if (from === far) {
            if (chunk.length >= this.holdAfter) {
              from.pause();
              this.received += this.holdAfter;
              if (this.holdAfter > 0) to.write(chunk.subarray(0, this.holdAfter));
              this.holdAfter = 0;
              return;
            }
            this.holdAfter -= chunk.length;
            this.received += chunk.length;
            brought += chunk.length;
            if (brought >= this.holdEachAfter) from.pause();
            this.cutAfter -= chunk.length;
            if (this.cutAfter <= 0) {
              this.cutAfter = Number.POSITIVE_INFINITY;
              this.cut();
              return;
            }
          }
          if (!to.write(chunk)) {
            from.pause();
            to.once('drain', () => {
              if (from !== far || brought < this.holdEachAfter) from.resume();
            });
          }
        });
      }
    });
  }

  static async to(target: number): Promise<Wire> {
    const wire = new Wire(target);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    wire.port = (wire.#server.address() as { port: number }).port;
    return wire;
  }

  cut(): void {
    this.cuts++;
    this.holdAfter = Number.POSITIVE_INFINITY;
    this.holdEachAfter = Number.POSITIVE_INFINITY;
    for (const socket of this.#sockets) socket.destroy();
  }
  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Repeatable chance. */
export class Dice {
  #state: number;
  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }
  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

/** How a replica of ours sees its master. */
export function statusOf(replica: Node) {
  return replica.with((client) =>
    client.call(
      'ImageServer.GetReplicationStatus',
      GetReplicationStatusRequest,
      GetReplicationStatusResponse,
      {},
    ),
  );
}
