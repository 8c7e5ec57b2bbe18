import { expect, test } from 'bun:test';
import { makeAuthority, makeClient } from './certificates-fixture.ts';
import { sessionCertificates } from './session-certificates.ts';

const ca = await makeAuthority('CA');
const { raw } = (await makeClient('alice', ca)).certificate;
const other = ca.certificate.raw;

function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]), content]);
}
const filler = Buffer.from([0x02, 0x01, 0x01]);

test('leaf and intermediates, in their order', () => {
  const leaf = element(0xa3, raw);
  expect(sessionCertificates(element(0x30, filler, leaf))).toEqual([raw]);
  const both = sessionCertificates(element(0x30, filler, leaf, element(0xb3, other, raw), filler));
  expect(both).toEqual([raw, other, raw]);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['no certificate', Buffer.from([0x30, 0x03, ...filler])],
  ['not DER', Buffer.from('a session of another library')],
  ['cut off', element(0x30, element(0xa3, raw)).subarray(0, -1)],
  ['two leaves in one', element(0x30, element(0xa3, raw, other))],
  ['intermediates before the leaf', element(0x30, element(0xb3, other), element(0xa3, raw))],
  ['something behind', Buffer.concat([element(0x30, element(0xa3, raw)), filler])],
])('%s: none', (_what, session) => {
  expect(sessionCertificates(session)).toEqual([]);
});
