/** The OpenAPI document, judged by an independent validator and by what the server then does. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { methods } from '../src/methods/table.ts';
import { arbitraryOf, type OpenApiDocument, type Operation, operationsOf, refsOf } from './openapi.ts';
import { startServer, type TestServer } from './server.ts';

/** Requests that the fuzz sends; more with FUZZ=number. */
const RUNS = Number(process.env.FUZZ ?? 1500);

let server: TestServer;
let document: OpenApiDocument;
beforeAll(async () => {
  server = await startServer({ args: ['-shutdownTimeout=1s'] });
  document = (await (await fetch(`${server.url}/swagger/json`)).json()) as OpenApiDocument;
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
}, 60_000);

describe('the document', () => {
  test('is valid', async () => {
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test('describes every method', () => {
    const described = Object.keys(document.paths).filter((path) => path.startsWith('/rpc/'));
    expect(described.map((path) => path.slice(5)).sort()).toEqual([...methods.keys()]);
  });

  test('every operation says what it does, what it needs and what it answers', () => {
    const ids = new Set<string>();
    for (const { path, method, operation } of operationsOf(document)) {
      const where = `${method} ${path}`;
      expect([where, ids.has(operation.operationId)]).toEqual([where, false]);
      ids.add(operation.operationId);
      expect([
        where,
        Boolean(operation.summary),
        operation.tags?.length,
        operation.description?.includes('**Permission**'),
      ]).toEqual([where, true, 1, true]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect([where, declared.sort()]).toEqual([where, inPath.sort()]);
      expect([where, Object.keys(operation.responses).some((status) => status.startsWith('2'))]).toEqual([
        where,
        true,
      ]);
      for (const [type, media] of Object.entries(operation.requestBody?.content ?? {}))
        expect([
          where,
          type,
          media.schema !== undefined,
          type !== 'application/json' || media.example !== undefined,
        ]).toEqual([where, type, true, true]);
    }
  });

  test('every reference leads somewhere, every schema is used', () => {
    const refs = new Set(refsOf(document));
    const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...refs].filter((ref) => !known.includes(ref))).toEqual([]);
    expect(known.filter((ref) => !refs.has(ref))).toEqual([]);
  });
});

async function send({ path, method, operation }: Operation, parts: Parts): Promise<Response> {
  let url = path.replace(/\{(\w+)\}/g, (_all, name: string) => parts.path[name] ?? 'x');
  const query = new URLSearchParams(parts.query).toString();
  if (query) url += `?${query}`;
  const type = Object.keys(operation.requestBody?.content ?? {})[0];
  return fetch(server.url + url, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
    headers: {
      ...parts.headers,
      ...(type && parts.body !== undefined ? { 'content-type': parts.type ?? type } : {}),
    },
    ...(parts.body === undefined || method === 'GET' ? {} : { body: parts.body }),
  });
}

interface Parts {
  readonly path: Record<string, string>;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
  readonly type: string | undefined;
}

const record = (fields: [string, fc.Arbitrary<string>][]) =>
  fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<Record<string, string>>;

/** Requests for an operation: mostly what the document says, sometimes anything. */
function partsOf({ method, operation }: Operation): fc.Arbitrary<Parts> {
  const named = (place: string) => (operation.parameters ?? []).filter((one) => one.in === place);
  const text = (value: fc.Arbitrary<unknown>) => value.map(String);
  const json = Object.entries(operation.requestBody?.content ?? {}).find(
    ([type]) => type === 'application/json',
  )?.[1];
  const bodies: fc.Arbitrary<string> = json
    ? fc.oneof(
        { weight: 6, arbitrary: arbitraryOf(document, json.schema).map((value) => JSON.stringify(value)) },
        { weight: 1, arbitrary: fc.constant(JSON.stringify(json.example)) },
        { weight: 1, arbitrary: fc.json() },
        { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...'{}[]",:1eE-+.ntf\\u0 ') }) },
      )
    : fc.oneof(fc.string({ unit: 'binary' }), fc.constant('abc'));
  const hash =
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';
  const pathText = fc.oneof(
    fc.constantFrom('example.0', 'example.1', 'example', '.', 'etc/empty', 'link', hash, 'ab'.repeat(64)),
    fc.webPath().map((path) => path.slice(1)),
    fc.string({ unit: 'binary', maxLength: 20 }).map((name) => encodeURIComponent(name.toWellFormed())),
  );
  const headers: [string, fc.Arbitrary<string>][] = [
    [
      'range',
      fc.constantFrom('bytes=0-1', 'bytes=-1', 'bytes=9-', 'bytes=1-0', 'bytes=0-0,2-2', 'x=1', 'bytes='),
    ],
    ['if-none-match', fc.constantFrom('*', '"x"', `"${hash}"`, 'W/"')],
    ['if-match', fc.constantFrom('*', '"x"', '')],
    ['if-range', fc.constantFrom(`"${hash}"`, '"x"')],
    [
      'accept',
      fc.constantFrom(
        '*/*',
        'application/json',
        'application/x-gob',
        'application/x-tar',
        'text/css',
        'a;q=x,,',
      ),
    ],
    ['accept-encoding', fc.constantFrom('gzip', 'identity', '*;q=0')],
    ['upload-offset', fc.constantFrom('0', '3', '-1', 'x')],
    ['upload-length', fc.constantFrom('0', '3', '99999999999999999999', '6')],
    ['content-range', fc.constantFrom('bytes 0-2/3', 'bytes 0-2/*', 'x')],
    ['repr-digest', fc.constantFrom('sha-512=:AAAA:', 'sha-512=::', 'md5=:x:')],
    ['last-event-id', fc.constantFrom('0-0', 'ffffffffffff-0', '\u00ff')],
  ];
  return fc.record({
    path: fc.record(Object.fromEntries(named('path').map(({ name }) => [name, pathText]))) as fc.Arbitrary<
      Record<string, string>
    >,
    query: record([
      ...named('query').map(({ name, schema }): [string, fc.Arbitrary<string>] => [
        name,
        text(arbitraryOf(document, schema)),
      ]),
      ['unknown', fc.constant('1')],
    ]),
    headers: record(headers.map(([name, value]) => [name, fc.oneof(value, value)])),
    body:
      method === 'GET'
        ? fc.constant(undefined)
        : fc.oneof({ weight: 9, arbitrary: bodies }, { weight: 1, arbitrary: fc.constant(undefined) }),
    type: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-8', 'x') },
    ),
  });
}

describe('the server keeps what the document says', () => {
  test('every example is understood', async () => {
    for (const one of operationsOf(document)) {
      const example = one.operation.requestBody?.content['application/json']?.example;
      if (example === undefined || one.path.includes('{')) continue;
      const response = await send(one, {
        path: {},
        query: {},
        headers: {},
        body: JSON.stringify(example),
        type: undefined,
      });
      await response.body?.cancel();
      const where = `${one.method} ${one.path}`;
      expect([where, [400, 415, 500].includes(response.status)]).toEqual([where, false]);
    }
  }, 60_000);

  test(`${RUNS} requests made from the document: nothing undocumented, no crash`, async () => {
    const operations = operationsOf(document);
    await fetch(`${server.url}/objects`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: 'abc',
    });
    const request = fc
      .nat(operations.length - 1)
      .chain((index) => fc.tuple(fc.constant(index), partsOf(operations[index] as Operation)));
    await fc.assert(
      fc.asyncProperty(request, async ([index, parts]) => {
        const one = operations[index] as Operation;
        const response = await send(one, parts);
        const status = response.status;
        const type = response.headers.get('content-type') ?? '';
        if (status >= 400) {
          const problem = (await response.json()) as { code?: string; status?: number; requestId?: string };
          expect(type).toBe('application/problem+json');
          expect(problem.status).toBe(status);
          expect(problem.code).toBeString();
          expect(problem.requestId).toBe(response.headers.get('x-request-id') as string);
        } else await response.body?.cancel();
        // Documented for damaged files, and there are none.
        expect([one.path, status === 503 || status < 500]).toEqual([one.path, true]);
        // A path made of anything may be another route's, or none's.
        if (!one.path.includes('{'))
          expect([one.path, status, String(status) in one.operation.responses]).toEqual([
            one.path,
            status,
            true,
          ]);
      }),
      { numRuns: RUNS },
    );
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.stderr()).not.toContain('failed:');
  }, 300_000);
});
