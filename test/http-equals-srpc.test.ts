/**
 * Every method gives the same result over JSON as over SRPC: two servers live through the same story, one told in gob,
 * the other in JSON (by JSON RPC 2.0, and again by the route of the method where that changes nothing).
 */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Method } from '../src/methods/method.ts';
import { methods } from '../src/methods/table.ts';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { fromJson, toJson } from '../src/wire/json.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  GetObjectsRequest,
  GetObjectsResponse,
  TestBandwidthRequest,
  TestBandwidthResponse,
} from '../src/wire/messages/objectserver.ts';
import type { StructSchema } from '../src/wire/schema.ts';
import { startServer, type TestServer } from './server.ts';

const sha512 = (text: string) => new Bun.CryptoHasher('sha512').update(text).digest('hex');
const ABC = sha512('abc');
const LONG = 'x'.repeat(300_000);
const MISSING = 'ab'.repeat(64);

const file = (contents: string) => ({
  Kind: 'regular',
  Mode: 0o100644,
  Uid: 7,
  Gid: 8,
  MtimeSeconds: -5,
  MtimeNanoSeconds: 999_999_999,
  Size: contents.length,
  Hash: sha512(contents),
});
/** Every kind of inode, hard links, numbers beyond 53 bits, odd names. */
const IMAGE = {
  Filter: { FilterLines: ['/a/.*', '!'] },
  Triggers: { Triggers: [{ MatchLines: ['/x'], Service: 'y', HighImpact: true }] },
  FileSystem: {
    InodeTable: {
      '1': file('abc'),
      '2': {
        Kind: 'directory',
        Mode: 0o41777,
        Uid: 0,
        Gid: 0,
        EntryList: [{ Name: 'again', InodeNumber: 1 }],
      },
      '3': { Kind: 'symlink', Uid: 1, Gid: 2, Symlink: '../ü' },
      '4': {
        Kind: 'special',
        Mode: 0o60660,
        Uid: 0,
        Gid: 6,
        MtimeSeconds: 1,
        MtimeNanoSeconds: 2,
        Rdev: 'RDEV',
      },
      '5': { Kind: 'computed', Mode: 0o100600, Uid: 0, Gid: 0, Source: 'somewhere' },
      '18446744073709551615': file(LONG),
    },
    EntryList: [
      { Name: 'file', InodeNumber: 1 },
      { Name: 'dir', InodeNumber: 2 },
      { Name: 'link\udcff', InodeNumber: 3 },
      { Name: 'disk', InodeNumber: 4 },
      { Name: 'made', InodeNumber: 5 },
      { Name: 'long', InodeNumber: 'LAST' },
    ],
    Mode: 0o40755,
    NumRegularInodes: 2,
    TotalDataBytes: 300_003,
    DirectoryCount: 2,
  },
  ReleaseNotes: { URL: 'https://example.com/notes' },
  BuildLog: { Object: ABC },
  Packages: [{ Name: 'p', Size: 12, Version: '1~rc' }],
  Tags: { a: 'b' },
};
const LAST = '18446744073709551615';
const imageJson = (name: string, more: object = {}) =>
  JSON.stringify({ ImageName: name, Image: { ...IMAGE, ...more } })
    .replace('"LAST"', LAST)
    .replace('"RDEV"', '9223372036854775809');

type Step = readonly [method: string, request: string | object];
const STORY: readonly Step[] = [
  ['ImageServer.CheckDirectory', { DirectoryName: '.' }],
  ['ImageServer.MakeDirectory', { DirectoryName: 'a' }],
  ['ImageServer.MakeDirectory', { DirectoryName: 'a' }],
  ['ImageServer.MakeDirectory', { DirectoryName: 'b/c/d', MakeAll: true }],
  ['ImageServer.MakeDirectory', { DirectoryName: 'x/y' }],
  ['ImageServer.MakeDirectory', { DirectoryName: '../out' }],
  ['ImageServer.ChownDirectory', { DirectoryName: 'a', OwnerGroup: 'root' }],
  ['ImageServer.AddImage', imageJson('a/img.0')],
  ['ObjectServer.AddObjects', { Objects: [{ ExpectedHash: null, Data: btoa('abc') }] }],
  [
    'ObjectServer.AddObjects',
    {
      Objects: [
        { ExpectedHash: ABC, Data: btoa('abc') },
        { ExpectedHash: sha512(LONG), Data: btoa(LONG) },
        { Data: btoa('loose') },
      ],
    },
  ],
  ['ObjectServer.AddObjects', { Objects: [{ ExpectedHash: MISSING, Data: btoa('wrong') }] }],
  ['ObjectServer.CheckObjects', { Hashes: [ABC, MISSING, sha512(LONG)] }],
  ['ObjectServer.GetObjects', { Hashes: [sha512(LONG), ABC, ABC] }],
  ['ObjectServer.GetObjects', { Hashes: [ABC, MISSING] }],
  ['ObjectServer.TestBandwidth', { Duration: 1_000_000_000, ChunkSize: 5000, SendToServer: false }],
  ['ObjectServer.TestBandwidth', { Duration: 1, ChunkSize: 1000, SendToServer: true }],
  ['ImageServer.ListUnreferencedObjects', {}],
  ['ImageServer.AddImage', imageJson('a/img.0')],
  ['ImageServer.AddImage', imageJson('a/img.0')],
  ['ImageServer.AddImage', { ImageName: 'a/nil' }],
  ['ImageServer.AddImage', imageJson('nowhere/img.0')],
  ['ImageServer.AddImage', imageJson('a/.hidden')],
  [
    'ImageServer.AddImageTrusted',
    imageJson('a/img.1', { CreatedBy: 'alice', CreatedOn: '2026-01-02T03:04:05.000000006Z' }),
  ],
  [
    'ImageServer.AddImageTrusted',
    imageJson('a/img.2', { ExpiresAt: '2099-01-02T03:04:05.5+01:00', CreatedOn: '2026-01-01T00:00:00Z' }),
  ],
  ['ImageServer.CheckImage', { ImageName: 'a/img.0' }],
  ['ImageServer.CheckImage', { ImageName: 'a/none' }],
  ['ImageServer.GetImage', { ImageName: 'a/img.1' }],
  ['ImageServer.GetImage', { ImageName: 'a/img.2', IgnoreFilesystemIfExpiring: true }],
  ['ImageServer.GetImage', { ImageName: 'a/img.1', IgnoreFilesystem: true }],
  ['ImageServer.GetImage', { ImageName: 'a/none', Timeout: 1_000_000 }],
  ['ImageServer.GetImageExpiration', { ImageName: 'a/img.2' }],
  ['ImageServer.GetImageExpiration', { ImageName: 'a/none' }],
  ['ImageServer.ChangeImageExpiration', { ImageName: 'a/img.2', ExpiresAt: '2098-01-01T00:00:00Z' }],
  ['ImageServer.ChangeImageExpiration', { ImageName: 'a/img.1', ExpiresAt: '2098-01-01T00:00:00Z' }],
  ['ImageServer.ChangeImageExpiration', { ImageName: 'a/none', ExpiresAt: '2098-01-01T00:00:00Z' }],
  ['ImageServer.ChangeImageExpiration', { ImageName: 'a/img.2', ExpiresAt: '2100-01-01T00:00:00Z' }],
  ['ImageServer.FindLatestImage', { DirectoryName: 'a' }],
  [
    'ImageServer.FindLatestImage',
    { DirectoryName: 'a', IgnoreExpiringImages: true, TagsToMatch: { a: ['b', 'c'] } },
  ],
  ['ImageServer.FindLatestImage', { DirectoryName: 'none' }],
  ['ImageServer.ListImages', {}],
  ['ImageServer.ListDirectories', {}],
  ['ImageServer.ListImageIdentities', {}],
  ['ImageServer.GetImageUpdates', {}],
  ['ImageServer.GetReplicationStatus', {}],
  ['ImageServer.ReleaseHeldDeletions', {}],
  ['ImageServer.DeleteImage', { ImageName: 'a/img.1' }],
  ['ImageServer.DeleteImage', { ImageName: 'a/img.1' }],
  ['ImageServer.ListTrash', {}],
  ['ImageServer.UndeleteImage', { ImageName: 'a/img.1' }],
  ['ImageServer.UndeleteImage', { ImageName: 'a/none' }],
  ['ImageServer.DeleteImage', { ImageName: 'a/img.2' }],
  ['ImageServer.PurgeTrash', { ImageName: 'a/img.2' }],
  ['ImageServer.PurgeTrash', { All: true }],
  ['ImageServer.PreviewDeleteUnreferencedObjects', { Percentage: 100, Bytes: 1 }],
  ['ImageServer.DeleteUnreferencedObjects', { Percentage: 100, Bytes: 1 }],
  ['ImageServer.ListUnreferencedObjects', {}],
  ['ImageServer.ListImages', {}],
  ['Logger.Print', { Args: ['two', 'words'] }],
  ['Logger.Print', { Args: ['x'], Name: 'none' }],
  ['Logger.Print', { Args: ['x'.repeat(20_000)] }],
  ['Logger.SetDebugLevel', { Level: 3 }],
  ['Logger.SetDebugLevel', { Level: 3, Name: 'none' }],
  ['Logger.Debug', { Args: ['three'], Level: 3 }],
  ['Logger.Debug', { Args: ['four'], Level: 4, Name: 'none' }],
  ['Logger.Watch', { Name: 'none' }],
  ['Logger.Watch', { IncludeRegex: '(' }],
  ['Logger.Watch', { ExcludeRegex: 'x'.repeat(5000) }],
];

/** What a call came to: a value, values, or an error text. */
type Outcome = { readonly value: unknown } | { readonly error: string };

async function overSrpc(client: SrpcClient, method: Method, text: string): Promise<Outcome> {
  try {
    switch (method.shape) {
      case 'unary':
      case 'imageUpload': {
        const request = fromJson(method.request as StructSchema, text);
        const reply = await client.call(method.name, method.request as StructSchema, method.reply, request);
        const { Error: failure } = reply as { Error?: string };
        if (failure) return { error: failure };
        return { value: JSON.parse(toJson(method.reply, reply)) };
      }
      case 'lines': {
        const channel = await client.open(method.name);
        const value: string[] = [];
        for (let line = await channel.readLine(); line !== ''; line = await channel.readLine())
          value.push(line);
        channel.end();
        return { value };
      }
      case 'stream': {
        const channel = await client.open(method.name);
        const end = method.live ? { Name: '', Directory: null, Operation: 0 } : method.end;
        const value: unknown[] = [];
        for (;;) {
          const item = await channel.receive(method.item as StructSchema);
          if (item === undefined || Bun.deepEquals(item, end)) break;
          value.push(JSON.parse(toJson(method.item, item)));
        }
        if (method.live) client.close();
        else channel.end();
        return { value };
      }
      case 'text': {
        const channel = await client.open(method.name);
        await channel.send(method.request as StructSchema, fromJson(method.request as StructSchema, text));
        await channel.flush();
        const { Error: failure } = (await channel.receive(method.reply)) as { Error: string };
        return failure ? { error: failure } : { value: undefined };
      }
      case 'channel':
        return { value: await channelOverSrpc(client, method.name, text) };
    }
  } catch (thrown) {
    return { error: (thrown as Error).message };
  }
}

async function channelOverSrpc(client: SrpcClient, name: string, text: string): Promise<unknown> {
  const channel = await client.open(name);
  try {
    if (name === 'ObjectServer.GetObjects') {
      channel.send(GetObjectsRequest, fromJson(GetObjectsRequest, text));
      await channel.flush();
      const reply = await channel.receive(GetObjectsResponse);
      if (!reply) throw new Error('EOF');
      const Objects: string[] = [];
      if (reply.ResponseString === '')
        for (const size of reply.ObjectSizes)
          Objects.push(Buffer.from(await channel.take(Number(size))).toString('base64'));
      const sizes = reply.ObjectSizes.map(Number);
      return { ResponseString: reply.ResponseString, ObjectSizes: sizes, Objects };
    }
    if (name === 'ObjectServer.AddObjects') {
      const { Objects } = JSON.parse(text) as { Objects: { ExpectedHash?: string | null; Data: string }[] };
      for (const { ExpectedHash, Data } of Objects) {
        const data = Buffer.from(Data, 'base64');
        channel.send(AddObjectRequest, { Length: BigInt(data.length), ExpectedHash: ExpectedHash ?? null });
        await channel.write(data);
      }
      channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
      await channel.flush();
      const Responses: unknown[] = [];
      for (const _object of Objects) Responses.push(await channel.receive(AddObjectResponse));
      return { Responses };
    }
    const request = fromJson(TestBandwidthRequest, text);
    channel.send(TestBandwidthRequest, request);
    if (request.SendToServer)
      for (const mark of [1, 1, 0]) await channel.write(chunkOf(request.ChunkSize, mark));
    await channel.flush();
    if (!request.SendToServer) while ((await channel.take(request.ChunkSize + 1)).at(-1) !== 0);
    return Number((await channel.receive(TestBandwidthResponse))?.ServerDuration) > 0;
  } finally {
    channel.end();
  }
}

function chunkOf(size: number, mark: number): Uint8Array {
  const chunk = new Uint8Array(size + 1);
  chunk[size] = mark;
  return chunk;
}

async function bandwidthOverJson(url: string, text: string): Promise<boolean> {
  const { ChunkSize, SendToServer } = JSON.parse(text) as { ChunkSize: number; SendToServer: boolean };
  const body = SendToServer
    ? Buffer.concat([Buffer.from(`${text}\n`), ...[1, 1, 0].map((mark) => chunkOf(ChunkSize, mark))])
    : text;
  const type = SendToServer ? 'application/octet-stream' : 'application/json';
  const response = await fetch(`${url}/rpc/ObjectServer.TestBandwidth`, {
    method: 'POST',
    headers: { 'content-type': type },
    body,
  });
  const answer = Buffer.from(await response.arrayBuffer());
  let at = 0;
  if (!SendToServer)
    do at += ChunkSize + 1;
    while (answer[at - 1] !== 0);
  return (JSON.parse(answer.subarray(at).toString()) as { ServerDuration: number }).ServerDuration > 0;
}

/** Events up to the end of the first list. */
async function updatesOverJson(url: string): Promise<unknown[]> {
  const response = await fetch(`${url}/rpc/ImageServer.GetImageUpdates`, { method: 'POST' });
  const items: unknown[] = [];
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const item = JSON.parse(text.slice(0, end)) as { Name: string; Operation: number };
      text = text.slice(end + 1);
      if (item.Name === '' && item.Operation === 0) return items;
      items.push(item);
    }
  }
  throw new Error('the stream ended');
}

const JSON_TYPE = { 'content-type': 'application/json' };

async function overJsonRpc(url: string, name: string, text: string): Promise<Outcome> {
  const body = `{"jsonrpc":"2.0","id":7,"method":"${name}","params":${text}}`;
  const response = await fetch(`${url}/rpc`, { method: 'POST', headers: JSON_TYPE, body });
  const answer = (await response.json()) as { id: number; result?: unknown; error?: { message: string } };
  expect(answer.id).toBe(7);
  return answer.error ? { error: answer.error.message } : { value: answer.result };
}

async function overRoute(url: string, method: Method, text: string): Promise<Outcome> {
  const response = await fetch(`${url}/rpc/${method.name}`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: text,
  });
  const answer = await response.text();
  if (!response.ok) return { error: (JSON.parse(answer) as { detail: string }).detail };
  const ndjson = response.headers.get('content-type') === 'application/x-ndjson';
  return {
    value: ndjson
      ? answer
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line))
      : JSON.parse(answer),
  };
}

async function overJson(url: string, method: Method, text: string): Promise<Outcome> {
  if (method.name === 'ObjectServer.TestBandwidth') return { value: await bandwidthOverJson(url, text) };
  if (method.shape === 'text') return overRoute(url, method, text);
  if (method.shape === 'stream' && method.live) return { value: await updatesOverJson(url) };
  const outcome = await overJsonRpc(url, method.name, text);
  if (!method.mutates) expect(await overRoute(url, method, text)).toEqual(outcome);
  return outcome;
}

/** Without what depends on the clock, on random ids or on random order. */
function comparable(outcome: Outcome): unknown {
  const clock = new Set(['CreatedOn', 'DeletedAt', 'PurgeAt', 'Id', 'Identity', 'CreatedBy', 'Since']);
  const text = JSON.stringify(outcome, (key, value: unknown) => (clock.has(key) ? key : value));
  const plain = JSON.parse(text) as { value?: unknown };
  if (Array.isArray(plain.value)) plain.value = plain.value.map((item) => JSON.stringify(item)).sort();
  return plain;
}

let gob: TestServer;
let json: TestServer;
beforeAll(async () => {
  [gob, json] = await Promise.all([
    startServer({ args: ['-objectGracePeriod=0s', '-shutdownTimeout=1s'] }),
    startServer({ args: ['-objectGracePeriod=0s', '-shutdownTimeout=1s'] }),
  ]);
});
afterAll(async () => {
  await gob[Symbol.asyncDispose]();
  await json[Symbol.asyncDispose]();
}, 30_000);

test('the story tells every method', () => {
  expect([...new Set(STORY.map(([name]) => name))].sort()).toEqual([...methods.keys()]);
});

STORY.forEach(([name, request], index) => {
  const text = typeof request === 'string' ? request : JSON.stringify(request);
  test(`${index + 1}. ${name} ${text.slice(0, 70)}`, async () => {
    const method = methods.get(name) as Method;
    const client = await connectSrpc({ host: '127.0.0.1', port: gob.port });
    try {
      const ours = comparable(await overJson(json.url, method, text));
      expect(ours as object).toEqual(comparable(await overSrpc(client, method, text)) as object);
    } finally {
      client.close();
    }
  });
});

test('what came in as JSON comes out of SRPC whole, long numbers included', async () => {
  const client = await connectSrpc({ host: '127.0.0.1', port: json.port });
  const { request, reply } = methods.get('ImageServer.GetImage') as Extract<Method, { shape: 'unary' }>;
  const value = {
    ImageName: 'a/img.1',
    IgnoreFilesystem: false,
    IgnoreFilesystemIfExpiring: false,
    Timeout: 0n,
  };
  const { Image } = (await client.call('ImageServer.GetImage', request, reply, value)) as {
    Image: {
      FileSystem: {
        InodeTable: Map<bigint, { Rdev?: bigint }>;
        DirectoryInode: { EntryList: { InodeNumber: bigint }[] };
      };
    };
  };
  expect(Image.FileSystem.InodeTable.get(4n)?.Rdev).toBe(9223372036854775809n);
  expect(Image.FileSystem.DirectoryInode.EntryList.at(-1)?.InodeNumber).toBe(18446744073709551615n);
  client.close();
});
