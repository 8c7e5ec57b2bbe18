/** Programs of machines that are not ours: the agent of a running machine, a hypervisor, a fleet manager; on port 0. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { SocketReader } from '../src/srpc/reader.ts';
import { scanDirectory } from '../src/tool/scan-directory.ts';
import { GobDecoder } from '../src/wire/gob/decoder.ts';
import { GobEncoder } from '../src/wire/gob/encoder.ts';
import type { FileSystem } from '../src/wire/messages/filesystem.ts';
import {
  GetHypervisorForVMRequest,
  GetHypervisorForVMResponse,
  ScanVmRootRequest,
  ScanVmRootResponse,
} from '../src/wire/messages/hypervisor.ts';
import {
  GetFileResponse,
  NumberedInode,
  PollRequest,
  PollResponse,
  SeparatedTree,
} from '../src/wire/messages/sub.ts';
import type { Schema, ValueOf } from '../src/wire/schema.ts';

const LINE = { maxBytes: 64 * 1024, timeoutMs: 0 };

interface Call {
  receive<S extends Schema>(schema: S): Promise<ValueOf<S>>;
  line(): Promise<string>;
  send<S extends Schema>(schema: S, value: ValueOf<S>, encoder?: GobEncoder): void;
  write(data: string | Uint8Array): void;
  hangUp(): void;
}
type Methods = Readonly<Record<string, (call: Call) => Promise<void>>>;

export interface FakePeer extends AsyncDisposable {
  readonly port: number;
}

async function serve(socket: Socket, methods: Methods): Promise<void> {
  const reader = new SocketReader(socket);
  while (await reader.readLine(LINE));
  socket.write('HTTP/1.0 200 Connected to Go SRPC\n\n');
  for (;;) {
    const name = await reader.readLine(LINE);
    if (name === undefined) return;
    const method = methods[name];
    socket.write(method ? '\n' : 'no such method\n');
    await method?.({
      async receive(schema) {
        const value = await new GobDecoder(reader).decode(schema);
        if (value === undefined) throw new Error('EOF');
        return value;
      },
      line: async () => (await reader.readLine(LINE)) ?? '',
      send: (schema, value, encoder = new GobEncoder()) => void socket.write(encoder.encode(schema, value)),
      write: (data) => void socket.write(data),
      hangUp: () => void socket.end(),
    });
  }
}

async function startPeer(methods: Methods): Promise<FakePeer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    // A client that leaves in the middle ends the conversation.
    serve(socket, methods).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface FakeSub extends FakePeer {
  /** What polls answer; undefined: the agent is still scanning. */
  tree: FileSystem | undefined;
  /** Nobody may see the tree. */
  secret: boolean;
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** The agent of a machine whose files are those of a directory; the tree is that of now. */
export async function startFakeSub(directory: string): Promise<FakeSub> {
  const asked: string[] = [];
  const state: Pick<FakeSub, 'tree' | 'secret'> = { tree: await scanDirectory(directory), secret: false };
  const peer = await startPeer({
    async 'Subd.Poll'({ receive, send, write, hangUp }) {
      await receive(PollRequest);
      write('\n');
      const { tree, secret } = state;
      if (secret) return hangUp();
      send(PollResponse, { FileSystemFollows: tree !== undefined });
      if (!tree) return;
      const inodes = tree.InodeTable ?? new Map();
      const stream = new GobEncoder();
      const separated = { ...tree, InodeTable: null };
      send(SeparatedTree, { FileSystem: separated, InodeTableLength: BigInt(inodes.size) }, stream);
      for (const [InodeNumber, GenericInode] of inodes)
        send(NumberedInode, { InodeNumber, GenericInode }, stream);
      // The agent's object cache, which is empty.
      write(new Uint8Array(8));
    },
    async 'Subd.GetFiles'({ line, send, write }) {
      // All at once at the end, as the agent's buffer may do.
      const answers: Buffer[] = [];
      for (let path = await line(); path !== ''; path = await line()) {
        asked.push(path);
        answers.push(readFileSync(Buffer.from(`${directory}${path}`, 'latin1')));
      }
      const stream = new GobEncoder();
      for (const bytes of answers) {
        send(GetFileResponse, { Size: BigInt(bytes.length) }, stream);
        write(bytes);
      }
    },
  });
  return Object.assign(state, peer, { asked });
}

/** A hypervisor with one machine. */
export function startHypervisor(address: string, tree: FileSystem): Promise<FakePeer> {
  return startPeer({
    async 'Hypervisor.ScanVmRoot'({ receive, send, write }) {
      const { IpAddress, Filter } = await receive(ScanVmRootRequest);
      const known = Buffer.from(IpAddress).toString('hex') === address && Filter === null;
      write('\n');
      send(
        ScanVmRootResponse,
        known ? { Error: '', FileSystem: tree } : { Error: 'no such VM', FileSystem: null },
      );
    },
  });
}

/** A fleet manager that knows one machine and its hypervisor. */
export function startFleetManager(address: string, HypervisorAddress: string): Promise<FakePeer> {
  return startPeer({
    async 'FleetManager.GetHypervisorForVM'({ receive, send, write }) {
      const { IpAddress } = await receive(GetHypervisorForVMRequest);
      write('\n');
      const known = Buffer.from(IpAddress).toString('hex') === address;
      send(
        GetHypervisorForVMResponse,
        known ? { HypervisorAddress, Error: '' } : { HypervisorAddress: '', Error: 'no hypervisor' },
      );
    },
  });
}
