import { describe, expect, test } from 'bun:test';
import { INSECURE } from '../access/identity.ts';
import { checkBrowser, checkMediaType } from './browser-guard.ts';
import type { RequestState } from './request-state.ts';

const NAMES = new Set(['images.example.com']);
const state = (secure: boolean): RequestState => ({
  identity: INSECURE,
  peer: '127.0.0.1',
  secure,
  id: 'x',
  head: false,
});
const isPage = (path: string) => path === '/';

function outcome(headers: Record<string, string>, path = '/rpc', secure = false, method = 'POST'): string {
  try {
    checkBrowser(
      new Request(`http://imageserver.local${path}`, { method, headers }),
      state(secure),
      path,
      NAMES,
      isPage,
    );
    return 'ok';
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
}

const cases: [string, Record<string, string>, string, string?][] = [
  ['no browser', { host: '127.0.0.1:6971' }, 'ok'],
  ['HTTP/1.0 without Host', {}, 'ok'],
  ['localhost', { host: 'localhost:6971' }, 'ok'],
  ['an IPv6 address', { host: '[::1]:6971' }, 'ok'],
  ['our name', { host: 'Images.Example.com.:6971' }, 'ok'],
  ['another name (rebinding)', { host: 'evil.example:6971' }, 'MISDIRECTED_REQUEST'],
  ['another name, health', { host: 'evil.example:6971' }, 'ok', '/healthz'],
  ['another name, page', { host: 'evil.example:6971' }, 'MISDIRECTED_REQUEST', '/'],
  [
    'our own page',
    { host: '127.0.0.1:6971', origin: 'http://127.0.0.1:6971', 'sec-fetch-site': 'same-origin' },
    'ok',
  ],
  ['another origin', { host: '127.0.0.1:6971', origin: 'http://evil.example' }, 'CROSS_ORIGIN'],
  ['another port', { host: '127.0.0.1:6971', origin: 'http://127.0.0.1:80' }, 'CROSS_ORIGIN'],
  ['another scheme', { host: '127.0.0.1:6971', origin: 'https://127.0.0.1:6971' }, 'CROSS_ORIGIN'],
  ['an opaque origin', { host: '127.0.0.1:6971', origin: 'null' }, 'CROSS_ORIGIN'],
  ['same site', { host: '127.0.0.1:6971', 'sec-fetch-site': 'same-site' }, 'CROSS_ORIGIN'],
  ['cross site', { host: '127.0.0.1:6971', 'sec-fetch-site': 'cross-site' }, 'CROSS_ORIGIN'],
  ['typed in', { host: '127.0.0.1:6971', 'sec-fetch-site': 'none' }, 'ok'],
];

describe('other people’s web pages', () => {
  for (const [name, headers, expected, path] of cases)
    test(name, () => {
      expect(outcome(headers, path)).toBe(expected);
    });
  test('a link from elsewhere may lead to a page but not to data', () => {
    const headers = { host: '127.0.0.1:6971', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect(outcome(headers, '/', false, 'GET')).toBe('ok');
    expect(outcome(headers, '/images', false, 'GET')).toBe('CROSS_ORIGIN');
    expect(outcome(headers, '/', false, 'POST')).toBe('CROSS_ORIGIN');
  });
  test('under TLS the certificate guards the name, the origin still counts', () => {
    expect(outcome({ host: 'any.example' }, '/rpc', true)).toBe('ok');
    expect(outcome({ host: 'any.example', origin: 'https://any.example' }, '/rpc', true)).toBe('ok');
    expect(outcome({ host: 'any.example', origin: 'https://evil.example' }, '/rpc', true)).toBe(
      'CROSS_ORIGIN',
    );
  });
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    '',
  ])
    test(`no write as ${type || 'nothing'}`, () => {
      const request = new Request('http://imageserver.local/', {
        method: 'POST',
        headers: type ? { 'content-type': type } : {},
      });
      expect(() => checkMediaType(request, ['application/json'])).toThrow('Content-Type');
    });
  test('JSON with a charset is JSON', () => {
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect(
      checkMediaType(new Request('http://imageserver.local/', { method: 'POST', headers }), [
        'application/json',
      ]),
    ).toBe('application/json');
  });
});
