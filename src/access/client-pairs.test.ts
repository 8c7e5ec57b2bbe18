import { afterAll, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inDays, type Made, makeAuthority, makeClient } from './certificates-fixture.ts';
import { loadClientPairs, loadServerCa } from './client-pairs.ts';

const scratch = mkdtempSync(join(tmpdir(), 'pairs-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let directory = '';
let count = 0;
beforeEach(() => {
  directory = join(scratch, String(++count));
  mkdirSync(directory);
});
const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const putPair = (name: string, { cert, key }: Made) => {
  put(`${name}.cert`, cert);
  put(`${name}.key`, key);
};
const ca = await makeAuthority('CA');
const load = () => loadClientPairs(directory);

test('most powerful first, then by name; other files are left alone', async () => {
  putPair('c', await makeClient('carol', ca, { methods: ['A.B', 'A.C'] }));
  putPair('b', await makeClient('bob', ca));
  putPair('a', await makeClient('alice', ca));
  put('README', '');
  put('lonely.cert', 'nothing');
  expect(load().map(({ name, user, methods }) => [name, user, methods])).toEqual([
    ['c', 'carol', 2],
    ['a', 'alice', 0],
    ['b', 'bob', 0],
  ]);
});

test('no pair, no directory', () => {
  expect(load()).toEqual([]);
  expect(() => loadClientPairs('/nowhere')).toThrow('open /nowhere: no such file or directory');
});

const alice = await makeClient('alice', ca);
const bob = await makeClient('bob', ca);
const DAY = 86_400_000;
test.each<[string, () => Promise<void> | void, string | RegExp]>([
  [
    'missing sibling',
    () => put('x.key', alice.key),
    /^unable to load keypair: open \S+\/x\.cert: no such file/,
  ],
  ['wrong key', () => putPair('x', { ...alice, key: bob.key }), 'private key does not match public key'],
  ['no certificate', () => putPair('x', { ...alice, cert: '?' }), 'find any PEM data in certificate input'],
  ['no key', () => putPair('x', { ...alice, key: '?' }), 'failed to find any PEM data in key input'],
  [
    'a directory',
    () => {
      put('x.cert', alice.cert);
      mkdirSync(join(directory, 'x.key'));
    },
    'is a directory',
  ],
  [
    'expired',
    async () =>
      putPair(
        'x',
        await makeClient('x', ca, {
          notBefore: inDays(-20),
          notAfter: new Date(Date.now() - 3 * DAY - 7_384_000),
        }),
      ),
    /^x\.cert expired 3d2h3m[45]s ago$/,
  ],
  [
    'not valid yet',
    async () => putPair('x', await makeClient('x', ca, { notBefore: inDays(10) })),
    /^x\.cert will not be valid for 9d23h59m\d+s$/,
  ],
])('one bad pair is an error: %s', async (_name, prepare, message) => {
  putPair('good', bob);
  await prepare();
  expect(load).toThrow(message);
});

test('the CA of the server: told, beside the pairs, none', () => {
  expect(loadServerCa('', directory)).toBeUndefined();
  expect(loadServerCa('', '')).toBeUndefined();
  put('serverCA.pem', ca.cert);
  expect(loadServerCa('', directory)).toBe(ca.cert);
  expect(loadServerCa('none', directory)).toBeUndefined();
  put('other.pem', alice.cert);
  expect(loadServerCa(join(directory, 'other.pem'), directory)).toBe(alice.cert);
  put('empty.pem', '');
  expect(() => loadServerCa(join(directory, 'empty.pem'), directory)).toThrow('no certificates in it');
  expect(() => loadServerCa(join(directory, 'none.pem'), directory)).toThrow('no such file or directory');
});
