import { describe, expect, test } from 'bun:test';
import { endpointOf, givesUpPowers, MAX_CONNECT, parseConnect, refusalOf, refusalText } from './handshake.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('parseConnect', () => {
  const endless = `CONNECT /_goSRPC_/ HTTP/1.0\n${'x: y\n'.repeat(MAX_CONNECT / 5)}`;
  test.each([
    [
      'what Go clients send',
      'CONNECT /_goSRPC_/ HTTP/1.0\n\n',
      { path: '/_goSRPC_/', query: '', length: 29 },
    ],
    ['CRLF', 'CONNECT /_goSRPC_/ HTTP/1.0\r\n\r\n', { path: '/_goSRPC_/', query: '', length: 31 }],
    ['headers', 'CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\nrest', { path: '/a', query: '', length: 32 }],
    ['mixed line ends', 'CONNECT /a HTTP/1.1\nHost: x\r\n\nrest', { path: '/a', query: '', length: 30 }],
    ['query', 'CONNECT /a?b=c?d HTTP/1.0\n\n', { path: '/a', query: 'b=c?d', length: 27 }],
    ['incomplete', 'CONNECT /a HTTP/1.0\n', undefined],
    ['no body', 'CONNECT /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n', { path: '/a', query: '', length: 42 }],
    ['no path', 'CONNECT example.com:443 HTTP/1.1\r\n\r\n', { status: 400 }],
    ['other version', 'CONNECT /a HTTP/2.0\n\n', { status: 505 }],
    ['no version', 'CONNECT /a HTTP/3\n\n', { status: 400 }],
    ['blanks', 'CONNECT  /a HTTP/1.0\n\n', { status: 400 }],
    ['too long', endless, { status: 400 }],
  ] as const)('%s', (_name, text, expected) => {
    expect(parseConnect(bytes(text))).toEqual(expected as never);
  });

  test.each([
    'nonsense',
    ': no name',
    'A : b',
    'A(: b',
    ' A: b',
    'A: b\r\n c',
    'A: \x01',
    'A: b\rc: d',
    'Host: a\r\nHost: b',
    'Host: a b',
    'Content-Length: 5',
    'Content-Length: x',
    'Transfer-Encoding: chunked',
  ])('a header that is none, or promises a body: %j', (header) => {
    const text = `CONNECT /_goSRPC_/ HTTP/1.1\r\n${header}\r\n\r\n`;
    expect(parseConnect(bytes(text))).toEqual({ status: 400 });
  });
});

test.each([
  ['/_goSRPC_/', 'gob', false],
  ['/_goSRPC_/foo', 'gob', false],
  ['/_go_TLS_SRPC_/', 'gob', true],
  ['/_SRPC_/unsecured/JSON', 'json', false],
  ['/_SRPC_/TLS/JSON', 'json', true],
  ['/_SRPC_/TLS/JSON/', undefined, undefined],
  ['/_goSRPC_/listMethods', undefined, undefined],
  ['/', undefined, undefined],
])('endpoint %s', (path, coder, tls) => {
  expect(endpointOf(path)).toEqual(coder === undefined ? undefined : ({ coder, tls } as never));
});

describe('the order of refusals', () => {
  const plain = { haveTls: false, connectionIsTls: false, certified: false, isConnect: true };
  const tls = { ...plain, haveTls: true };
  const inTls = { ...tls, connectionIsTls: true };
  test.each([
    ['plain endpoint, no TLS', '/_goSRPC_/', plain, undefined],
    ['TLS endpoint, no TLS', '/_go_TLS_SRPC_/', plain, 404],
    ['GET of a TLS endpoint, no TLS', '/_go_TLS_SRPC_/', { ...plain, isConnect: false }, 404],
    ['GET of a plain endpoint', '/_goSRPC_/', { ...plain, isConnect: false }, 405],
    ['plain endpoint while TLS is required', '/_goSRPC_/', tls, 405],
    ['TLS endpoint', '/_go_TLS_SRPC_/', tls, undefined],
    ['GET of a TLS endpoint', '/_SRPC_/TLS/JSON', { ...tls, isConnect: false }, 405],
    ['within TLS, no certificate', '/_go_TLS_SRPC_/', inTls, 401],
    ['within TLS, certificate', '/_go_TLS_SRPC_/', { ...inTls, certified: true }, undefined],
    ['plain endpoint within TLS', '/_goSRPC_/', { ...inTls, certified: true }, 405],
    ['unknown path', '/nothing', plain, 404],
    ['a page', '/_goSRPC_/listMethods', plain, 405],
    ['missing slash', '/_goSRPC_', plain, 301],
    ['other requests', '/nothing', { ...plain, isConnect: false }, undefined],
    ['GET of a page', '/_goSRPC_/listMethods', { ...plain, isConnect: false }, undefined],
  ])('%s', (_name, path, situation, status) => {
    expect(refusalOf(path, situation)?.status).toBe(status as never);
  });

  test('the query stays when a slash is added', () => {
    expect(refusalOf('/_goSRPC_', { ...plain, query: 'a=b' })?.location).toBe('/_goSRPC_/?a=b');
  });

  test('are ordinary HTTP', () => {
    expect(refusalText({ status: 405 }).replace(/Date: .*/, 'Date: D')).toBe(
      'HTTP/1.0 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nDate: D\r\nContent-Length: 0\r\n\r\n',
    );
  });
});

test.each([
  ['doNotUseMethodPowers=true', true],
  ['a=b&doNotUseMethodPowers=true', true],
  ['doNotUseMethodPowers=false', false],
  ['', false],
  ['%zz', false],
])('query %s', (query, expected) => {
  expect(givesUpPowers(query)).toBe(expected);
});
