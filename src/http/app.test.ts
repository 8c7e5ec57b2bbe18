import { describe, expect, test } from 'bun:test';
import { BadRequest } from '../front/http-head.ts';
import { addImage, sha512, upload } from '../store/stores-fixture.ts';
import { STRANGER, somebody, type TestApp, withApp } from './app-fixture.ts';

const HASH = sha512('abc');
const code = async (response: Response) => ((await response.json()) as { code: string }).code;

async function fill({ stores }: TestApp): Promise<void> {
  await stores.images.makeDirectory('base', 'owners');
  await addImage(stores, 'base/img.0', ['abc', 'defg']);
}

describe('who may do what', () => {
  const stranger = { identity: STRANGER, secure: false };
  const reader = { identity: somebody('reader', ['ObjectServer.GetObjects']) };
  const nobody = { identity: somebody('nobody', []) };
  const owner = { identity: somebody('owner', [], ['owners']) };
  const admin = { identity: somebody('admin', ['*.*']) };
  const put = { method: 'PUT', body: 'xyz', headers: { 'content-length': '3' } };
  const PUT_PATH = `/objects/${sha512('xyz')}`;

  const cases: [string, string, RequestInit, number[]][] = [
    // what, path, request, statuses for: stranger, stranger with open reads, nobody, reader, owner, admin
    ['health', '/healthz', {}, [200, 200, 200, 200, 200, 200]],
    ['the status page', '/', {}, [200, 200, 200, 200, 200, 200]],
    ['the list page', '/listImages', {}, [200, 200, 200, 200, 200, 200]],
    ['the document', '/swagger/json', {}, [200, 200, 200, 200, 200, 200]],
    ['images', '/images', {}, [401, 200, 200, 200, 200, 200]],
    ['an image', '/images/base/img.0', {}, [401, 200, 200, 200, 200, 200]],
    ['a tree', '/images/base/img.0/tree/', {}, [401, 200, 200, 200, 200, 200]],
    ['a file', '/images/base/img.0/files/file0', {}, [401, 200, 403, 200, 403, 200]],
    ['an archive', '/images/base/img.0.tar', {}, [401, 200, 403, 200, 403, 200]],
    ['an object', `/objects/${HASH}`, {}, [401, 200, 403, 200, 403, 200]],
    ['an object as at HEAD', `/getObject?${HASH}`, {}, [401, 200, 403, 200, 403, 200]],
    ['putting an object', PUT_PATH, put, [401, 401, 403, 403, 403, 201]],
    ['an unknown image, unauthenticated', '/images/none', {}, [401, 404, 404, 404, 404, 404]],
    ['making a directory', '/directories/new', { method: 'PUT' }, [401, 401, 403, 403, 403, 201]],
    [
      'giving a directory away',
      '/directories/base',
      { method: 'PATCH', body: '{"OwnerGroup":"x"}', headers: { 'content-type': 'application/json' } },
      [401, 401, 403, 403, 403, 200],
    ],
    ['deleting an image', '/images/base/img.0', { method: 'DELETE' }, [401, 401, 403, 403, 204, 204]],
  ];
  const callers = [stranger, stranger, nobody, reader, owner, admin];
  for (const [what, path, request, expected] of cases)
    test(what, async () => {
      for (const [index, caller] of callers.entries())
        await withApp(
          async (app) => {
            await fill(app);
            const response = await app.ask(path, { ...request, ...caller });
            expect([index, response.status]).toEqual([index, expected[index] as number]);
            if (response.status === 401) expect(response.headers.get('www-authenticate')).toBeTruthy();
          },
          { insecure: false, allowUnauthenticatedReads: index === 1 },
        );
    });

  test('calls leave their records, refused ones too', () =>
    withApp(async (app) => {
      await app.call('/rpc/ImageServer.MakeDirectory', { DirectoryName: 'x' }, admin);
      await app.call('/rpc/ImageServer.MakeDirectory', { DirectoryName: 'y' }, nobody);
      await app.call(
        '/rpc',
        { jsonrpc: '2.0', id: 1, method: 'ImageServer.DeleteImage', params: { ImageName: 'no' } },
        admin,
      );
      expect(
        app.calls.map(({ method, identity, call, error }) => [
          method.name,
          identity.user,
          call?.subject,
          error?.code,
        ]),
      ).toEqual([
        ['ImageServer.MakeDirectory', 'admin', 'x', undefined],
        ['ImageServer.MakeDirectory', 'nobody', undefined, 'ACCESS_DENIED'],
        ['ImageServer.DeleteImage', 'admin', 'no', 'IMAGE_NOT_FOUND'],
      ]);
    }));
});

describe('manners', () => {
  test('HEAD is GET without a body, with its length', () =>
    withApp(async (app) => {
      await fill(app);
      for (const path of [
        '/listImages',
        '/healthz',
        '/images',
        '/directories',
        `/objects/${HASH}`,
        '/swagger/json',
        '/images/base/img.0/files/file1',
      ]) {
        const get = await app.ask(path);
        const head = await app.ask(path, { method: 'HEAD' });
        expect([path, head.status]).toEqual([path, get.status]);
        expect(await head.text()).toBe('');
        expect(head.headers.get('content-length')).toBe(String((await get.arrayBuffer()).byteLength));
      }
    }));

  test('404, 405 with Allow, OPTIONS without any cross-origin grant', () =>
    withApp(async (app) => {
      expect((await app.ask('/nothing')).status).toBe(404);
      expect(await code(await app.call('/rpc/ImageServer.Nothing', {}))).toBe('METHOD_NOT_FOUND');
      const shown = await app.ask('/nothing', { headers: { accept: 'text/html,*/*;q=0.8' } });
      expect([shown.status, shown.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
      expect(await shown.text()).toContain('href="/swagger"');
      const wrong = await app.ask('/rpc/ImageServer.CheckImage');
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'OPTIONS, POST']);
      const options = await app.ask(`/objects/${HASH}`, { method: 'OPTIONS' });
      expect([options.status, options.headers.get('allow')]).toEqual([
        204,
        'DELETE, GET, HEAD, OPTIONS, PATCH, PUT',
      ]);
      expect([...options.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect((await app.ask('/rpc/No.Such', { method: 'POST' })).status).toBe(404);
    }));

  test('a client that falls silent in its body is answered 408', () =>
    withApp(async ({ ask }) => {
      const body = () =>
        new ReadableStream({ pull: (controller) => controller.error(new BadRequest(408, 'too late')) });
      const headers = { 'content-length': '5' };
      for (const [method, path, type] of [
        ['PUT', `/objects/${'ab'.repeat(64)}`, 'application/octet-stream'],
        ['POST', '/objects', 'application/octet-stream'],
        ['POST', '/objects/query', 'application/json'],
        ['POST', '/rpc/ImageServer.CheckImage', 'application/json'],
      ] as const) {
        const init = { method, body: body(), headers: { ...headers, 'content-type': type }, duplex: 'half' };
        const response = await ask(path, init as RequestInit);
        expect([path, response.status]).toEqual([path, 408]);
        expect(await response.json()).toMatchObject({ code: 'TIMEOUT', detail: 'too late' });
      }
    }));

  test('unknown fields are named, wrong types and broken JSON refused', () =>
    withApp(async (app) => {
      const path = '/rpc/ImageServer.CheckImage';
      const detail = async (body: string) =>
        ((await (await app.call(path, body)).json()) as { detail: string }).detail;
      expect(await detail('{"Imagename":"x"}')).toContain('Imagename');
      expect(await detail('{"ImageName":1}')).toContain('ImageName');
      expect(await detail('{')).toContain('JSON');
      expect(
        (await app.ask(path, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }))
          .status,
      ).toBe(415);
    }));

  test('names: a server without TLS answers to its own only, one with TLS shows its pages under any', async () => {
    const statuses: number[] = [];
    for (const insecure of [true, false])
      await withApp(
        async (app) => {
          for (const path of ['/', '/assets/page.css', '/healthz', '/images'])
            statuses.push((await app.ask(path, { headers: { host: 'other.example' } })).status);
        },
        { insecure },
      );
    expect(statuses).toEqual([421, 421, 200, 421, 200, 200, 200, 421]);
  });

  test('request ids: the client’s if it is harmless, else ours; in the answer, the problem and the log', () =>
    withApp(async (app) => {
      const mine = await app.ask('/nothing', { headers: { 'x-request-id': 'my-id.1' } });
      expect(mine.headers.get('x-request-id')).toBe('my-id.1');
      expect(((await mine.json()) as { requestId: string }).requestId).toBe('my-id.1');
      const odd = await app.ask('/nothing', { headers: { 'x-request-id': 'a b' } });
      expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-\w+$/);
      expect(app.accesses.map(({ id, status, path }) => [id, status, path])).toEqual([
        ['my-id.1', 404, '/nothing'],
        [odd.headers.get('x-request-id') as string, 404, '/nothing'],
      ]);
    }));

  test('texts are compressed when asked for and worth it, objects never', () =>
    withApp(async (app) => {
      await upload(app.stores, 'x'.repeat(10_000));
      const headers = { 'accept-encoding': 'gzip, br' };
      expect((await app.ask('/swagger/json', { headers })).headers.get('content-encoding')).toBe('gzip');
      expect((await app.ask('/healthz', { headers })).headers.get('content-encoding')).toBeNull();
      expect(
        (await app.ask(`/objects/${sha512('x'.repeat(10_000))}`, { headers })).headers.get(
          'content-encoding',
        ),
      ).toBeNull();
      expect(
        (await app.ask('/swagger/json', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers.get(
          'content-encoding',
        ),
      ).toBeNull();
    }));

  test('readiness is true, with its reasons', () =>
    withApp(async (app) => {
      expect((await app.ask('/readiness')).status).toBe(200);
      app.readiness.ready = false;
      app.readiness.reasons.push('loading images');
      const response = await app.ask('/readiness');
      expect([response.status, await response.text()]).toEqual([503, 'not ready\nloading images\n']);
    }));
});

describe('pages', () => {
  const NAME = 'base/<img src=x onerror=alert(1)>&"\'.0';
  test('nothing that is not ours gets into them as markup', () =>
    withApp(async (app) => {
      await app.stores.images.makeDirectory('base', '<script>');
      await addImage(app.stores, NAME, ['abc'], { by: '<i>', notes: '</pre><script>alert(2)</script>' });
      const name = encodeURIComponent(NAME);
      for (const path of [
        '/',
        '/listImages',
        '/listDirectories',
        `/showImage?${name}`,
        `/listImage?${name}`,
        `/listFilter?${name}`,
        `/listTriggers?${name}`,
        `/listPackages?${name}`,
        `/listReleaseNotes?${name}`,
        `/listComputedInodes?${name}`,
        `/showFiles?name=${name}`,
        `/showFiles?name=${name}&path=/file0`,
        `/showDifferences?name=${name}&with=${name}`,
        `/listImages?name=${name}`,
        `/listTrash`,
        '/showImage?<b>no</b>',
      ]) {
        const response = await app.ask(path);
        const html = await response.text();
        expect([path, response.headers.get('content-type')]).toEqual([path, 'text/html; charset=utf-8']);
        expect(html).not.toMatch(/<(?:img|script|i|b)\b/);
        expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
      }
      expect(await (await app.ask(`/showImage?${name}`)).text()).toContain('Created by: &lt;i&gt;');
    }));

  test('the text forms, raw and decoded names, and what is not there', () =>
    withApp(async (app) => {
      await fill(app);
      expect(await (await app.ask('/listImages?output=text')).text()).toBe('base/img.0\n');
      expect(await (await app.ask('/listDirectories?output=text')).text()).toBe('.\nbase\n');
      expect(await (await app.ask('/listPackages?base/img.0&output=json')).text()).toBe('null\n');
      for (const query of ['base/img.0', 'base%2Fimg.0']) {
        const response = await app.ask(`/showImage?${query}`);
        expect([response.status, (await response.text()).includes('Data size:')]).toEqual([200, true]);
      }
      const unknown = await app.ask('/showImage?none');
      expect(unknown.status).toBe(404);
      expect(await unknown.text()).toContain('Image: none UNKNOWN!');
      expect((await app.ask('/listPackages?none')).status).toBe(404);
    }));
});

/** Reads events of a stream until one satisfies the condition. */
async function events(response: Response, until: (event: { id?: string; data: string }) => boolean) {
  const found: { id?: string; data: string }[] = [];
  let text = '';
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return found;
      text += Buffer.from(value).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field('data');
        const id = field('id');
        if (data === undefined) continue;
        found.push({ data, ...(id === undefined ? {} : { id }) });
        if (until({ data, ...(id === undefined ? {} : { id }) })) return found;
      }
    }
  } finally {
    await reader.cancel();
  }
}

describe('updates as Server-Sent Events', () => {
  const PATH = '/rpc/ImageServer.GetImageUpdates';
  const isEnd = ({ data }: { data: string }) => data === '{"Name":"","Directory":null,"Operation":0}';
  const isAbout = (name: string) => (event: { data: string }) => event.data.includes(`"${name}"`);

  test('the whole list, then events; a listener that comes back goes on where it was', () =>
    withApp(async (app) => {
      await fill(app);
      const first = await events(await app.ask(PATH), isEnd);
      expect(first.map(({ data }) => data)).toEqual([
        '{"Name":"","Directory":{"Name":".","Metadata":{"OwnerGroup":""}},"Operation":2}',
        '{"Name":"","Directory":{"Name":"base","Metadata":{"OwnerGroup":"owners"}},"Operation":2}',
        '{"Name":"base/img.0","Directory":null,"Operation":0}',
        '{"Name":"","Directory":null,"Operation":0}',
      ]);
      await addImage(app.stores, 'base/img.1', ['abc']);
      await app.stores.images.remove('base/img.0');
      const again = await app.ask(PATH, { headers: { 'last-event-id': first.at(-1)?.id as string } });
      const missed = await events(again, isAbout('base/img.0'));
      expect(missed.map(({ data }) => data)).toEqual([
        '{"Name":"base/img.1","Directory":null,"Operation":0}',
        '{"Name":"base/img.0","Directory":null,"Operation":1}',
      ]);
      const rest = await events(
        await app.ask(PATH, { headers: { 'last-event-id': missed[0]?.id as string } }),
        () => true,
      );
      expect(rest[0]).toEqual(missed[1] as { id: string; data: string });
      expect(app.deps.services.activity.updateListeners).toBe(0);
    }));

  for (const id of ['000000000000-1', 'nonsense', ''])
    test(`an id of another run (${id || 'none'}) gets the whole list`, () =>
      withApp(async (app) => {
        await fill(app);
        const list = await events(await app.ask(PATH, { headers: id ? { 'last-event-id': id } : {} }), isEnd);
        expect(list.length).toBe(4);
      }));

  test('an event is encoded once for all listeners', () =>
    withApp(async (app) => {
      await fill(app);
      const readers = await Promise.all(
        [1, 2].map(async () => {
          const { body } = await app.ask(PATH);
          return (body as ReadableStream<Uint8Array>).getReader();
        }),
      );
      /** The very bytes that have such text. */
      const piece = async (reader: (typeof readers)[number], text: string): Promise<Uint8Array> => {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) throw new Error('the stream has ended');
          if (Buffer.from(value).includes(text)) return value;
        }
      };
      await Promise.all(readers.map((reader) => piece(reader, '{"Name":"","Directory":null')));
      await app.stores.images.makeDirectory('later');
      const [one, other] = (await Promise.all(readers.map((reader) => piece(reader, '"later"')))) as [
        Uint8Array,
        Uint8Array,
      ];
      await Promise.all(readers.map((reader) => reader.cancel()));
      expect(Buffer.from(one).toString()).toMatch(/^id: [0-9a-f]{12}-\d+\ndata: .*"later".*\n\n$/);
      expect(other).toBe(one);
    }));

  test('a live event arrives while the listener waits', () =>
    withApp(async (app) => {
      const response = await app.ask(PATH);
      const waiting = events(response, isAbout('later'));
      await Bun.sleep(10);
      await app.stores.images.makeDirectory('later');
      expect((await waiting).at(-1)?.data).toContain('"later"');
    }));
});

describe('JSON RPC 2.0', () => {
  test('the examples of the standard that apply', () =>
    withApp(async (app) => {
      const rpc = async (body: string) => {
        const response = await app.call('/rpc', body);
        return response.status === 204 ? undefined : ((await response.json()) as unknown);
      };
      const check = '"method":"ImageServer.CheckImage","params":{"ImageName":"x"}';
      const result = { ImageExists: false };
      expect(await rpc(`{"jsonrpc":"2.0","id":"a",${check}}`)).toEqual({ jsonrpc: '2.0', result, id: 'a' });
      expect(await rpc(`{"jsonrpc":"2.0","id":null,${check}}`)).toEqual({ jsonrpc: '2.0', result, id: null });
      expect(await rpc(`{"jsonrpc":"2.0",${check}}`)).toBeUndefined();
      expect(await rpc(`[{"jsonrpc":"2.0",${check}},{"jsonrpc":"2.0",${check}}]`)).toBeUndefined();
      const numbers: [string, number][] = [
        ['{"jsonrpc":"2.0","method":"foobar, "params":"bar","baz]', -32700],
        ['[{"jsonrpc":"2.0","method"', -32700],
        ['[]', -32600],
        ['1', -32600],
        ['{"jsonrpc":"2.0","method":1,"params":"bar"}', -32600],
        ['{"jsonrpc":"1.0","id":1,"method":"ImageServer.CheckImage"}', -32600],
        ['{"jsonrpc":"2.0","id":1,"method":"foobar"}', -32601],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.CheckImage","params":[1]}', -32602],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.CheckImage","params":"x"}', -32600],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.ListImages","params":{"a":1}}', -32602],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.ListDirectories","params":{"a":1}}', -32602],
        ['', -32700],
        ['hello', -32700],

        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.CheckImage","params":{"a":1}}', -32602],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.CheckImage","params":{"a":}}', -32700],
        ['{"jsonrpc":"2.0","id":1,"method":"ImageServer.DeleteImage","params":{"ImageName":"x"}}', -32000],
      ];
      for (const [body, number] of numbers)
        expect([body, await rpc(body)]).toEqual([
          body,
          expect.objectContaining({ error: expect.objectContaining({ code: number }) }),
        ]);
      expect(await rpc('[1,2]')).toHaveLength(2);
      expect(await rpc('{"jsonrpc":"2.0","id":1,"method":"ImageServer.ListImages","params":[]}')).toEqual({
        jsonrpc: '2.0',
        result: [],
        id: 1,
      });
    }));

  test('who asked is told wherever it could be read, and never what is no JSON', () =>
    withApp(async (app) => {
      const id = async (body: string) =>
        ((await (await app.call('/rpc', body)).json()) as { id: unknown }).id;
      expect(await id('{"jsonrpc":"2.0","id":5,"method":1}')).toBe(5);
      expect(await id('{"jsonrpc":"2.0","id":"a","method":"x","more":1}')).toBe('a');
      expect(await id('{"jsonrpc":"2.0","id":{},"method":"x"}')).toBeNull();
      expect(await id('{"jsonrpc":"2.0","id":5,"method":"x","params":{"a":tru}}')).toBeNull();
      // Too long to be looked at beforehand.
      const long = `"${'x'.repeat(200_000)}"`;
      expect(
        await id(`{"jsonrpc":"2.0","id":5,"method":"ImageServer.CheckImage","params":{"a":${long},}}`),
      ).toBe(null);
    }));

  test('of a batch that is no JSON nothing is done', () =>
    withApp(async (app) => {
      const make = '{"jsonrpc":"2.0","method":"ImageServer.MakeDirectory","params":{"DirectoryName":"x"}}';
      expect(await (await app.call('/rpc', `[${make},{"jsonrpc":tru}]`)).json()).toMatchObject({
        error: { code: -32700 },
      });
      expect(app.stores.images.hasDirectory('x')).toBe(false);
    }));

  test('what is not UTF-8 is no JSON', () =>
    withApp(async (app) => {
      const call = '{"jsonrpc":"2.0","id":1,"method":"ImageServer.CheckImage","params":{"ImageName":"\xff"}}';
      const answer = await app.call('/rpc', '', { body: Buffer.from(call, 'latin1') });
      expect([answer.status, await answer.json()]).toEqual([
        200,
        {
          jsonrpc: '2.0',
          error: { code: -32700, message: 'Parse error: the text is not UTF-8' },
          id: null,
        },
      ]);
    }));

  test('an id keeps all its digits', () =>
    withApp(async (app) => {
      const response = await app.call('/rpc', '{"jsonrpc":"2.0","id":12345678901234567890,"method":"x"}');
      expect(await response.text()).toContain('"id":12345678901234567890');
    }));
});

describe('images', () => {
  test('lists: filters, order, pages', () =>
    withApp(async (app) => {
      await fill(app);
      for (const name of ['img.10', 'img.9'])
        await addImage(app.stores, `base/${name}`, [name], { by: 'alice' });
      const list = async (query: string): Promise<unknown[]> => {
        const body = (await (await app.ask(`/images?${query}`)).json()) as {
          Images: { Name: string }[];
          Total: number;
          NextOffset: number;
        };
        return [body.Images.map(({ Name }) => Name), body.Total, body.NextOffset];
      };
      expect(await list('')).toEqual([['base/img.0', 'base/img.9', 'base/img.10'], 3, null]);
      expect(await list('order=desc&limit=2')).toEqual([['base/img.10', 'base/img.9'], 3, 2]);
      expect(await list('createdBy=alice&name=9')).toEqual([['base/img.9'], 1, null]);
      expect(await list('directory=other')).toEqual([[], 0, null]);
      expect(await list('expiring=false&sort=size&offset=1&limit=1')).toEqual([['base/img.10'], 3, 2]);
      for (const bad of ['limit=0', 'limit=x', 'sort=colour', 'offset=-1', 'expiring=maybe'])
        expect((await app.ask(`/images?${bad}`)).status).toBe(400);
    }));

  test('conditional requests, stored bytes, ranges of them', () =>
    withApp(async (app) => {
      await fill(app);
      const path = '/images/base/img.0';
      const gob = await app.ask(path, { headers: { accept: 'application/x-gob' } });
      const etag = gob.headers.get('etag') as string;
      const bytes = new Uint8Array(await gob.arrayBuffer());
      expect(Buffer.compare(bytes, (await app.stores.images.read('base/img.0')).bytes)).toBe(0);
      expect(`"${sha512(bytes)}"`).toBe(etag);
      const part = await app.ask(path, { headers: { accept: 'application/x-gob', range: 'bytes=-5' } });
      expect(part.status).toBe(206);
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(-5));
      expect((await app.ask(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
      expect((await app.ask(path, { headers: { accept: 'text/css' } })).status).toBe(406);
      expect((await app.ask(path, { method: 'DELETE', headers: { 'if-match': '"other"' } })).status).toBe(
        412,
      );
      expect((await app.ask(path, { method: 'DELETE', headers: { 'if-match': etag } })).status).toBe(204);
      expect(await code(await app.ask(path))).toBe('IMAGE_NOT_FOUND');
    }));

  test('files and trees', () =>
    withApp(async (app) => {
      await fill(app);
      const file = await app.ask('/images/base/img.0/files/file1');
      expect([file.status, await file.text(), file.headers.get('content-disposition')]).toEqual([
        200,
        'defg',
        'attachment; filename="file1"',
      ]);
      expect(await code(await app.ask('/images/base/img.0/files/none'))).toBe('FILE_NOT_FOUND');
      expect(await code(await app.ask('/images/base/img.0/files/'))).toBe('FILE_NOT_FOUND');
      const page = (await (await app.ask('/images/base/img.0/tree/?limit=1')).json()) as {
        EntryList: unknown[];
        NextOffset: number;
      };
      expect([page.EntryList.length, page.NextOffset]).toEqual([1, 1]);
      await addImage(app.stores, 'base/img.1', ['abc', 'DEFG', 'more']);
      const diff = (await (await app.ask('/images/base/img.0/diff/base/img.1')).json()) as {
        Differences: { Path: string; Fields: string[] }[];
      };
      expect(diff.Differences.map(({ Path, Fields }) => [Path, Fields])).toEqual([
        ['/file1', ['Hash']],
        ['/file2', []],
      ]);
    }));
});
