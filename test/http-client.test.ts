/** The TypeScript client against a server of ours. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { addAndFetch } from '../client/example.ts';
import { generate } from '../client/generate.ts';
import { hashOf, ImageServerClient, ImageServerProblem, type ImageUpdate } from '../client/index.ts';
import { runProgram, startServer, type TestServer } from './server.ts';

let server: TestServer;
let client: ImageServerClient;
beforeAll(async () => {
  server = await startServer({ args: ['-shutdownTimeout=1s'] });
  client = new ImageServerClient({ url: `${server.url}/` });
}, 60_000);
afterAll(() => server[Symbol.asyncDispose](), 60_000);

test('its methods are those of the table', async () => {
  // The formatter breaks lines and adds commas.
  const plain = (text: string) => text.replace(/\s|,(?=\s*[}\]])/g, '');
  const written = await Bun.file(join(import.meta.dir, '..', 'client', 'methods.ts')).text();
  expect(plain(written)).toBe(plain(generate()));
});

const NODE = Bun.which('node');
const NPM = Bun.which('npm');
test.skipIf(!NODE || !NPM)(
  'another project installs the package alone and uses it from Node and Bun, with its types',
  async () => {
    const project = mkdtempSync(join(tmpdir(), 'client-test-'));
    try {
      const root = join(import.meta.dir, '..');
      const run = async (...command: string[]) => {
        const { status, stdout, stderr } = await runProgram(command, { cwd: project });
        expect([command[0], status, stdout + stderr]).toEqual([command[0], 0, expect.any(String)]);
        return stdout;
      };
      writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
      const npm = NPM as string;
      const archive = (await run(npm, 'pack', '--silent', root)).trim().split('\n').at(-1) as string;
      // It needs nothing else: there is no registry to ask.
      await run(npm, 'install', '--offline', '--no-audit', '--no-fund', `./${archive}`);
      expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
        'imageserver',
      ]);
      writeFileSync(
        join(project, 'use.ts'),
        `import { type Image, ImageServerClient } from 'imageserver/client';
        const server = new ImageServerClient({ url: '${server.url}' });
        await server.call('ImageServer.MakeDirectory', { DirectoryName: process.argv[2] });
        const image: Image | null = (await server.call('ImageServer.GetImage', { ImageName: 'none' })).Image;
        const bytes: bigint | undefined = image?.FileSystem?.TotalDataBytes;
        // @ts-expect-error A name is wanted.
        const wrong = () => server.call('ImageServer.GetImage', { ImageName: 7 });
        for await (const one of server.list('ImageServer.ListDirectories')) console.log(one.Name, bytes, typeof wrong);
        `,
      );
      copyFileSync(
        join(project, 'node_modules', 'imageserver', 'dist', 'client', 'example.ts'),
        join(project, 'example.ts'),
      );
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        module: 'nodenext',
        target: 'esnext',
        lib: ['esnext', 'dom'],
        types: ['node'],
        typeRoots: [join(root, 'node_modules', '@types')],
        outDir: 'out',
      };
      const files = ['use.ts', 'example.ts'];
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      await run(process.execPath, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
      for (const runtime of [NODE as string, process.execPath]) {
        const name = basename(runtime);
        expect(await run(runtime, join('out', 'use.js'), name)).toContain(`${name} undefined function`);
        const example = [join('out', 'example.js'), server.url, `packed-${name}.0`];
        expect((await run(runtime, ...example)).trim()).toBe('Hello from the client');
      }
      await run(process.execPath, 'use.ts', 'as-source');
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  },
  120_000,
);

describe('the client', () => {
  test('adds and fetches an image', async () => {
    expect(await addAndFetch(server.url, 'example.0')).toBe('Hello from the client\n');
    expect(await Array.fromAsync(client.list('ImageServer.ListImages'))).toContain('example.0');
    expect(await (await client.file('example.0', '/hello')).text()).toBe('Hello from the client\n');
    const archive = new Uint8Array(await (await client.archive('example.0')).arrayBuffer());
    expect(Buffer.from(archive.subarray(0, 2)).toString()).toBe('./');
  });

  test('errors carry their codes', async () => {
    const failure = await client
      .call('ImageServer.DeleteImage', { ImageName: 'none' })
      .catch((error) => error);
    expect(failure).toBeInstanceOf(ImageServerProblem);
    expect(failure).toMatchObject({ code: 'IMAGE_NOT_FOUND', status: 404, message: 'image does not exist' });
    expect(failure.requestId).toBeString();
  });

  test('objects: put, ask, get, many, parts', async () => {
    const contents = ['one', 'two', 'x'.repeat(1_000_000)].map((text) => new TextEncoder().encode(text));
    const hashes = await Promise.all(contents.map(hashOf));
    const unknown = 'ab'.repeat(64);
    expect(await client.objects.missing([...hashes, unknown])).toEqual([...hashes, unknown]);
    for (const [index, data] of contents.entries())
      expect(
        await client.objects.put(data, { hash: hashes[index] as string, ifMissing: true }),
      ).toMatchObject({ Added: true });
    expect(
      await client.objects.put(contents[0] as never, { hash: hashes[0] as string, ifMissing: true }),
    ).toMatchObject({ Added: false });
    expect(await client.objects.put(contents[1] as never)).toMatchObject({ Hash: hashes[1], Added: false });
    const many = await Array.fromAsync(
      client.objects.getMany([hashes[2] as string, unknown, hashes[0] as string]),
    );
    expect(many.map(({ hash, data }) => [hash, data?.length])).toEqual([
      [hashes[2] as string, 1_000_000],
      [unknown, undefined],
      [hashes[0] as string, 3],
    ]);
    expect(await (await client.objects.get(hashes[0] as string, { range: 'bytes=1-' })).text()).toBe('ne');
    await expect(client.objects.get(unknown)).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' });
  });

  test('an upload goes on where it broke off', async () => {
    const data = crypto.getRandomValues(new Uint8Array(3_000_000).subarray(0, 65536));
    const file = new Blob(Array.from({ length: 50 }, () => data));
    const hash = await hashOf(new Uint8Array(await file.arrayBuffer()));
    // A first part, as if the connection had broken then.
    const part = await fetch(`${server.url}/objects/${hash}`, {
      method: 'PATCH',
      headers: {
        'content-type': 'application/partial-upload',
        'upload-offset': '0',
        'upload-length': String(file.size),
      },
      body: file.slice(0, 100_000),
    });
    expect([part.status, part.headers.get('upload-offset')]).toEqual([202, '100000']);
    const progress: number[] = [];
    expect(
      await client.objects.putResumable(file, hash, { onProgress: (bytes) => progress.push(bytes) }),
    ).toMatchObject({ Added: true });
    expect(progress).toEqual([100_000, file.size]);
    expect(await client.objects.putResumable(file, hash)).toMatchObject({ Added: false });
  });

  test('updates, across a broken connection', async () => {
    const broken = new Map<string, number>();
    // The second event breaks the first connection.
    const flaky = (async (url: string, init: RequestInit) => {
      const response = await fetch(url, init);
      if (!url.endsWith('GetImageUpdates')) return response;
      const lastId = new Headers(init.headers).get('last-event-id') ?? 'none';
      broken.set(lastId, (broken.get(lastId) ?? 0) + 1);
      if (broken.size > 1) return response;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk);
          if (Buffer.from(chunk).includes('"flaky.1"')) controller.terminate();
        },
      });
      return new Response((response.body as ReadableStream<Uint8Array>).pipeThrough(cut as never), response);
    }) as unknown as typeof fetch;
    const listener = new ImageServerClient({ url: server.url, fetch: flaky });
    const stop = new AbortController();
    const seen: ImageUpdate[] = [];
    const wanted = ['flaky.1', 'flaky.2'];
    const make = (name: string) => client.call('ImageServer.MakeDirectory', { DirectoryName: name });
    for await (const update of listener.updates(stop.signal)) {
      seen.push(update);
      if (update.Name === '' && update.Operation === 0 && !update.Directory) await make('flaky.1');
      if (update.Directory?.Name === 'flaky.1') await make('flaky.2');
      if (update.Directory?.Name === 'flaky.2') stop.abort();
    }
    expect(
      seen.map(({ Directory }) => Directory?.Name).filter((name) => wanted.includes(name ?? '')),
    ).toEqual(wanted);
    // The second connection did not list everything again.
    expect(seen.filter(({ Directory }) => Directory?.Name === '.').length).toBe(1);
  }, 30_000);
});
