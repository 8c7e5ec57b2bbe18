/**
 * Clients of a server that is about to be killed: they upload, add, delete, bring back, extend and make directories at
 * random, and keep account of what may be there afterwards. Each works on names of its own; contents are shared.
 */
import { RemoteError, type SrpcClient } from '../src/srpc/client.ts';
import { makeImage, sha512 } from '../src/store/stores-fixture.ts';
import { decodeImage } from '../src/wire/encoded-image.ts';
import {
  ListTrashRequest,
  ListTrashResponse,
  UndeleteImageRequest,
  UndeleteImageResponse,
} from '../src/wire/messages/extensions.ts';
import type { Image } from '../src/wire/messages/image.ts';
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
  MakeDirectoryRequest,
  MakeDirectoryResponse,
} from '../src/wire/messages/imageserver.ts';
import { AddObjectRequest, AddObjectResponse } from '../src/wire/messages/objectserver.ts';
import { timeFromMillis } from '../src/wire/time.ts';

/** What may be found under a name: any of these; undefined = nothing. One of them once it was acknowledged. */
export type Possible<T> = ReadonlySet<T | undefined>;

export class Ledger {
  /** Acknowledged; looked for only where nothing is collected. */
  readonly objects = new Set<string>();
  readonly images = new Map<string, Possible<Image>>();
  readonly directories = new Map<string, Possible<string>>();
  /** Acknowledged deletions by name, brought back ones taken out; no entry = cannot be said. */
  readonly trash = new Map<string, Image>();
  calls = 0;
  acknowledged = 0;

  /** Runs a change: until it is acknowledged both are possible, when it is refused only what was before. */
  async change<T>(
    book: Map<string, Possible<T>>,
    name: string,
    after: T | undefined,
    call: () => Promise<unknown>,
  ): Promise<boolean> {
    const before = book.get(name) ?? new Set<T | undefined>([undefined]);
    book.set(name, new Set([...before, after]));
    this.calls++;
    try {
      await call();
    } catch (thrown) {
      if (thrown instanceof RemoteError) book.set(name, before);
      else throw thrown;
      return false;
    }
    this.acknowledged++;
    book.set(name, new Set([after]));
    return true;
  }
}

/** Pseudo-random numbers below `n`, the same for the same seed. */
export function randomOf(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

async function uploadAll(client: SrpcClient, contents: readonly Buffer[], ledger: Ledger): Promise<void> {
  const channel = await client.open('ObjectServer.AddObjects');
  const sending = (async () => {
    for (const content of contents) {
      await channel.send(AddObjectRequest, { Length: BigInt(content.length), ExpectedHash: null });
      await channel.write(content);
    }
    await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
    await channel.flush();
  })();
  const receiving = (async () => {
    for (const content of contents) {
      const answer = await channel.receive(AddObjectResponse);
      if (!answer) throw new Error('EOF');
      if (answer.ErrorString) throw new Error(`upload refused: ${answer.ErrorString}`);
      if (answer.Hash !== sha512(content)) throw new Error('another hash than that of the contents');
      ledger.objects.add(answer.Hash);
      ledger.acknowledged++;
    }
  })();
  await Promise.all([sending, receiving]);
  channel.end();
}

export interface ClientOptions {
  /** Name of its directory. */
  readonly name: string;
  readonly seed: number;
  readonly ledger: Ledger;
  readonly client: SrpcClient;
  /** PUT /objects/HASH; throws unless it was acknowledged. */
  readonly put: (hash: string, bytes: Buffer) => Promise<void>;
  /** Groups that exist. */
  readonly groups: readonly string[];
  /** Also have garbage collected. */
  readonly collect: boolean;
}

/** Works until the connection breaks. Anything but a broken connection or a refusal that may be is thrown. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { name: home, ledger, seed, client } = options;
  const random = randomOf(seed);
  let made = 0;
  const fresh = () => `${seed.toString(36)}-${++made}`;
  const pick = <T>(values: Iterable<T>): T | undefined => {
    const all = [...values];
    return all[random(all.length)];
  };
  const mine = <T>(book: Map<string, T>) => [...book.keys()].filter((key) => key.startsWith(`${home}/`));
  /** The one state of an image, if it is known and there. */
  const known = (name: string) => {
    const [image, ...others] = ledger.images.get(name) ?? [];
    return others.length === 0 ? image : undefined;
  };
  const pickKnown = () => pick(mine(ledger.images).filter((name) => known(name)));
  const contentsOf = () =>
    Array.from({ length: 1 + random(random(2) ? 60 : 4) }, () =>
      `${random(500)} `.repeat(1 + random(random(12) ? 50 : 400_000)),
    );

  async function addOne(): Promise<void> {
    const contents = contentsOf();
    await uploadAll(
      client,
      contents.map((text) => Buffer.from(text)),
      ledger,
    );
    const deleted = random(3) ? undefined : pick(mine(ledger.trash));
    const name = deleted ?? `${home}/${fresh()}`;
    const expiresAt = timeFromMillis(Date.now() + 86_400_000);
    const image = await decodeImage(makeImage(contents, { by: fresh(), expiresAt }).bytes);
    await ledger.change(ledger.images, name, image, () =>
      client.call('ImageServer.AddImageTrusted', AddImageRequest, AddImageResponse, {
        ImageName: name,
        Image: image,
      }),
    );
  }

  async function removeOne(): Promise<void> {
    const name = pickKnown();
    const image = name && known(name);
    if (!image) return;
    ledger.trash.delete(name);
    const done = await ledger.change(ledger.images, name, undefined, () =>
      client.call('ImageServer.DeleteImage', DeleteImageRequest, DeleteImageResponse, { ImageName: name }),
    );
    if (done) ledger.trash.set(name, image);
  }

  async function undeleteOne(): Promise<void> {
    const name = pick(mine(ledger.trash));
    const image = name && ledger.trash.get(name);
    if (!image) return;
    if (ledger.images.get(name)?.size === 1 && !known(name)) ledger.trash.delete(name);
    await ledger.change(ledger.images, name, image, () =>
      client.call('ImageServer.UndeleteImage', UndeleteImageRequest, UndeleteImageResponse, {
        ImageName: name,
        Id: '',
      }),
    );
  }

  async function extendOne(): Promise<void> {
    const name = pickKnown();
    const image = name && known(name);
    if (!image) return;
    const ExpiresAt = timeFromMillis(Number(image.ExpiresAt.unixNanos / 1_000_000n) + 1000 + random(1000));
    await ledger.change(ledger.images, name, { ...image, ExpiresAt }, async () => {
      const { Error: refusal } = await client.call(
        'ImageServer.ChangeImageExpiration',
        ChangeImageExpirationRequest,
        ChangeImageExpirationResponse,
        { ImageName: name, ExpiresAt },
      );
      if (refusal) throw new RemoteError(refusal);
    });
  }

  async function makeDirectory(name: string, group: string): Promise<void> {
    await ledger.change(ledger.directories, name, group, () =>
      client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
        DirectoryName: name,
        MakeAll: false,
      }),
    );
  }

  async function chownOne(): Promise<void> {
    const name = pick(mine(ledger.directories));
    if (!name || ledger.directories.get(name)?.size !== 1) return;
    const group = pick(['', ...options.groups]) ?? '';
    await ledger.change(ledger.directories, name, group, () =>
      client.call('ImageServer.ChownDirectory', ChownDirectoryRequest, ChownDirectoryResponse, {
        DirectoryName: name,
        OwnerGroup: group,
      }),
    );
  }

  async function putOne(): Promise<void> {
    const bytes = Buffer.from(`${random(500)} http `.repeat(1 + random(30_000)));
    const hash = sha512(bytes);
    await options.put(hash, bytes);
    ledger.objects.add(hash);
    ledger.acknowledged++;
  }

  async function collect(): Promise<void> {
    await client.call(
      'ImageServer.DeleteUnreferencedObjects',
      DeleteUnreferencedObjectsRequest,
      DeleteUnreferencedObjectsResponse,
      { Percentage: 50 + random(50), Bytes: 0n },
    );
  }

  const works = [
    addOne,
    addOne,
    addOne,
    removeOne,
    undeleteOne,
    extendOne,
    chownOne,
    putOne,
    // A group below a directory without one is never inherited: the outcome is known beforehand.
    () => makeDirectory(`${home}/${fresh()}`, ''),
    ...(options.collect ? [collect] : []),
  ];
  try {
    const there = ledger.directories.get(home);
    if (!there || there.has(undefined)) await makeDirectory(home, '');
    for (;;) await (works[random(works.length)] as () => Promise<void>)();
  } catch (thrown) {
    if (!client.closed && !isBroken(thrown)) throw thrown;
  } finally {
    client.close();
  }
}

function isBroken(thrown: unknown): boolean {
  const { code = '', message = '' } = thrown as { code?: string; message?: string };
  return (
    ['UNAVAILABLE', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ConnectionClosed', 'ConnectionRefused'].includes(
      code,
    ) || /EOF|closed|Unable to connect/.test(message)
  );
}

/** Names in the trash of a server. */
export async function trashNames(client: SrpcClient): Promise<string[]> {
  const { Images } = await client.call('ImageServer.ListTrash', ListTrashRequest, ListTrashResponse, {});
  return Images.map(({ Name }) => Name);
}
