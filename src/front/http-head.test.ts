import { describe, expect, test } from 'bun:test';
import { BadRequest, checkMethod, parseHead } from './http-head.ts';

function parse(text: string) {
  try {
    const head = parseHead(text);
    checkMethod(head);
    return head;
  } catch (error) {
    if (error instanceof BadRequest) return error.status;
    throw error;
  }
}
const H = 'Host: x\r\n';

describe('refused heads', () => {
  test.each([
    ['no version', 'GET /', 400],
    ['no path', `GET  HTTP/1.1\r\n${H}`, 400],
    ['version 2', `PRI * HTTP/2.0\r\n${H}`, 505],
    ['two blanks', `GET  / HTTP/1.1\r\n${H}`, 400],
    ['tab', `GET\t/ HTTP/1.1\r\n${H}`, 400],
    ['lower case version', `GET / http/1.1\r\n${H}`, 400],
    ['unknown method', `FOO / HTTP/1.1\r\n${H}`, 501],
    ['TRACE', `TRACE / HTTP/1.1\r\n${H}`, 501],
    ['CONNECT', `CONNECT / HTTP/1.1\r\n${H}`, 405],
    ['no host', 'GET / HTTP/1.1\r\nA: b', 400],
    ['two hosts', `GET / HTTP/1.1\r\n${H}Host: y`, 400],
    ['bad host', 'GET / HTTP/1.1\r\nHost: a b', 400],
    ['user in host', 'GET / HTTP/1.1\r\nHost: a@b', 400],
    ['two lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 6`, 400],
    ['the same length twice', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 5`, 400],
    ['length list', `POST / HTTP/1.1\r\n${H}Content-Length: 5, 5`, 400],
    ['signed length', `POST / HTTP/1.1\r\n${H}Content-Length: +5`, 400],
    ['hex length', `POST / HTTP/1.1\r\n${H}Content-Length: 0x5`, 400],
    ['empty length', `POST / HTTP/1.1\r\n${H}Content-Length: `, 400],
    ['huge length', `POST / HTTP/1.1\r\n${H}Content-Length: 9999999999999999`, 400],
    ['length and chunks', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked`, 400],
    ['chunks and length', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5`, 400],
    ['chunked twice', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked`, 400],
    ['gzip and chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked`, 501],
    ['not quite chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked`, 501],
    ['chunked with tail', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked;a=b`, 501],
    ['chunks in 1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked', 400],
    ['blank before colon', `GET / HTTP/1.1\r\n${H}A : b`, 400],
    ['blank before colon of length', `POST / HTTP/1.1\r\n${H}Content-Length : 5`, 400],
    ['folded line', `GET / HTTP/1.1\r\n${H}A: b\r\n c`, 400],
    ['folded with tab', `GET / HTTP/1.1\r\n${H}A: b\r\n\tc: d`, 400],
    ['no colon', `GET / HTTP/1.1\r\n${H}nothing`, 400],
    ['empty name', `GET / HTTP/1.1\r\n${H}: x`, 400],
    ['NUL in value', `GET / HTTP/1.1\r\n${H}A: b\0c`, 400],
    ['bare CR in value', `GET / HTTP/1.1\r\n${H}A: b\rc: d`, 400],
    ['bare CR in request line', `GET /\rx HTTP/1.1\r\n${H}`, 400],
    ['control in target', `GET /\x01 HTTP/1.1\r\n${H}`, 400],
    ['fragment', `GET /#x HTTP/1.1\r\n${H}`, 400],
    ['backslash', `GET /\\x HTTP/1.1\r\n${H}`, 400],
    ['relative target', `GET x HTTP/1.1\r\n${H}`, 400],
    ['asterisk', `GET * HTTP/1.1\r\n${H}`, 400],
    ['vertical tab before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: \x0bchunked`, 400],
    ['no-break space before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: \xa0chunked`, 501],
    ['no-break space behind a length', `POST / HTTP/1.1\r\n${H}Content-Length: 5\xa0`, 400],
    ['two returns', 'GET / HTTP/1.1\r\nHost: x\r\r\n', 400],
    ['user in absolute form', `GET http://a@b/ HTTP/1.1\r\n${H}`, 400],
    ['strange Expect', `POST / HTTP/1.1\r\n${H}Expect: 200-ok`, 417],
    ['too many headers', `GET / HTTP/1.1\r\n${H}${'A: b\r\n'.repeat(200)}`, 431],
    ['long target', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${H}`, 414],
  ])('%s', (_name, text, status) => {
    expect(parse(text)).toBe(status);
  });
});

describe('accepted heads', () => {
  const plain = { length: 0, keepAlive: true, modern: true, expectsContinue: false };
  test.each([
    ['GET', `GET /a?b HTTP/1.1\r\n${H}`, { ...plain, method: 'GET', target: '/a?b' }],
    ['absolute form', `GET http://h/a HTTP/1.1\r\n${H}`, { target: '/a' }],
    [
      'absolute form: its host counts',
      `GET http://other:1/a HTTP/1.1\r\n${H}A: b`,
      {
        target: '/a',
        headers: [
          ['A', 'b'],
          ['Host', 'other:1'],
        ],
      },
    ],
    ['absolute form without path', `GET http://h HTTP/1.1\r\n${H}`, { target: '/' }],
    ['absolute form with query only', `GET http://h?q HTTP/1.1\r\n${H}`, { target: '/?q' }],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${H}`, { target: '/' }],
    ['raw UTF-8', `GET /\xc3\xa9 HTTP/1.1\r\n${H}`, { target: '/%C3%A9' }],
    ['1.0', 'GET / HTTP/1.0', { modern: false, keepAlive: false }],
    ['1.0 kept alive', 'GET / HTTP/1.0\r\nConnection: Keep-Alive', { modern: false, keepAlive: true }],
    ['close', `GET / HTTP/1.1\r\n${H}Connection: foo, Close`, { keepAlive: false }],
    ['length', `POST / HTTP/1.1\r\n${H}content-length: 12`, { length: 12 }],
    ['chunks', `POST / HTTP/1.1\r\n${H}transfer-encoding: Chunked`, { length: undefined }],
    ['continue', `POST / HTTP/1.1\r\n${H}Expect: 100-Continue`, { expectsContinue: true }],
    [
      'value with blanks',
      `GET / HTTP/1.1\r\n${H}A: \t b c \t`,
      {
        headers: [
          ['Host', 'x'],
          ['A', 'b c'],
        ],
      },
    ],
    [
      'empty value',
      `GET / HTTP/1.1\r\n${H}A:`,
      {
        headers: [
          ['Host', 'x'],
          ['A', ''],
        ],
      },
    ],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toMatchObject(expected as never);
  });
});
