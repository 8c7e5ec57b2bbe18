import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { Authorizer } from './authorize.ts';
import { parseCertificate, parsePem } from './certificate.ts';
import { makeAuthority, makeClient } from './certificates-fixture.ts';
import {
  booleanValue,
  DerError,
  DerReader,
  oidText,
  only,
  smallInteger,
  stringValue,
  TAG,
  timeValue,
} from './der.ts';
import { GROUPS_OID, groupsOf, METHODS_OID, methodsOf } from './extensions.ts';
import { encodeStringList } from './issue.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const withExtension = (oid: string, value: Uint8Array) =>
  ({ extensions: [{ oid, critical: false, value }] }) as unknown as Parameters<typeof groupsOf>[0];
const groups = (value: string) => groupsOf(withExtension(GROUPS_OID, hex(value)));

/** Anything but DerError is a defect. */
function refusesOrReturns<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return undefined;
  }
}

describe('elements', () => {
  test.each([
    ['nothing', ''],
    ['only a tag', '30'],
    ['content cut off', '30 02 01'],
    ['indefinite length', '30 80 00 00'],
    ['length not minimal', '30 81 01 00'],
    ['length with leading zero', `30 82 00 80 ${'00'.repeat(128)}`],
    ['huge length', '30 85 01 00 00 00 00'],
    ['length past the end', '30 84 ff ff ff ff'],
    ['high tag number', '1f 01 00'],
    ['another tag', '31 00'],
    ['trailing byte', '30 00 00'],
  ])('%s', (_name, text) => {
    expect(() => only(hex(text), TAG.SEQUENCE)).toThrow(DerError);
  });
  test('lengths of one, two and three bytes', () => {
    for (const length of [0, 127, 128, 255, 256, 65_536]) {
      const size =
        length < 128
          ? [length]
          : length < 256
            ? [0x81, length]
            : length < 65_536
              ? [0x82, 1, 0]
              : [0x83, 1, 0, 0];
      const bytes = Uint8Array.of(0x04, ...size, ...new Uint8Array(length));
      expect(new DerReader(bytes).next().content.length).toBe(length);
    }
  });
});

test('object identifiers', () => {
  expect(oidText(hex('2b 06 01 04 01 ca 72 64 07 01'))).toBe('1.3.6.1.4.1.9586.100.7.1');
  expect(oidText(hex('55 1d 25 00'))).toBe('2.5.29.37.0');
  expect(oidText(hex('88 37 03'))).toBe('2.999.3');
  for (const bad of ['', '80 01', '2b 80 01', '2b 86']) expect(() => oidText(hex(bad))).toThrow(DerError);
});

test('booleans and small integers', () => {
  expect(booleanValue(hex('ff'))).toBe(true);
  expect(booleanValue(hex('00'))).toBe(false);
  expect(smallInteger(hex('00'))).toBe(0);
  expect(smallInteger(hex('00 80'))).toBe(128);
  expect(smallInteger(hex('7f ff ff ff'))).toBe(2 ** 31 - 1);
  for (const bad of ['', '01', 'ff ff']) expect(() => booleanValue(hex(bad))).toThrow(DerError);
  for (const bad of ['', '80', '00 01', '01 00 00 00 00'])
    expect(() => smallInteger(hex(bad))).toThrow(DerError);
});

describe('times', () => {
  const time = (tag: number, text: string) =>
    timeValue(new DerReader(Uint8Array.of(tag, text.length, ...Buffer.from(text))).next());
  test.each([
    [TAG.UTC_TIME, '200101000000Z', '2020-01-01T00:00:00.000Z'],
    [TAG.UTC_TIME, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [TAG.UTC_TIME, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [TAG.GENERALIZED_TIME, '20991231235959Z', '2099-12-31T23:59:59.000Z'],
    [TAG.GENERALIZED_TIME, '00010101000000Z', '0001-01-01T00:00:00.000Z'],
    [TAG.GENERALIZED_TIME, '20240229120000Z', '2024-02-29T12:00:00.000Z'],
  ])('%i %s', (tag, text, expected) => {
    expect(new Date(time(tag, text)).toISOString()).toBe(expected);
  });
  test.each([
    [TAG.UTC_TIME, '20200101000000Z'],
    [TAG.UTC_TIME, '2001010000Z'],
    [TAG.UTC_TIME, '200101000000+0100'],
    [TAG.UTC_TIME, '201301000000Z'],
    [TAG.UTC_TIME, '200230000000Z'],
    [TAG.UTC_TIME, '200101240000Z'],
    [TAG.GENERALIZED_TIME, '20200101000000.5Z'],
    [TAG.GENERALIZED_TIME, '200101000000Z'],
    [TAG.IA5_STRING, '200101000000Z'],
  ])('bad: %i %s', (tag, text) => {
    expect(() => time(tag, text)).toThrow(DerError);
  });
});

describe('lists of strings', () => {
  test.each([
    ['empty', '30 00', []],
    ['printable and UTF-8', '30 07 13 01 61 0c 02 c3 bc', ['a', 'ü']],
    ['printable with an asterisk', '30 03 13 01 2a', ['*']],
    ['IA5', '30 03 16 01 40', ['@']],
    ['T61 as Latin-1 and as UTF-8', '30 07 14 01 fc 14 02 c3 bc', ['ü', 'ü']],
    ['general', '30 03 1b 01 61', ['a']],
    ['numeric', '30 04 12 02 31 20', ['1 ']],
    ['BMP', '30 06 1e 04 00 61 00 fc', ['aü']],
    ['empty string', '30 02 0c 00', ['']],
  ])('%s', (_name, value, expected) => {
    expect(groups(value)).toEqual(expected);
  });
  test.each([
    ['no sequence', '13 01 61'],
    ['bytes after it', '30 00 05 00'],
    ['cut off', '30 05 13 03 61 62'],
    ['an integer', '30 03 02 01 05'],
    ['a nested list', '30 02 30 00'],
    ['bad UTF-8', '30 03 0c 01 ff'],
    ['printable with an at sign', '30 03 13 01 40'],
    ['numeric with a letter', '30 03 12 01 61'],
    ['IA5 above 7 bits', '30 03 16 01 80'],
    ['BMP of odd length', '30 03 1e 01 61'],
    ['nothing', ''],
  ])('bad: %s', (_name, value) => {
    expect(() => groups(value)).toThrow(DerError);
  });
  test('forms of the original', () => {
    const list = (...texts: string[]) => Buffer.from(encodeStringList(texts)).toString('hex');
    expect(list('ImageServer.*')).toBe('300f0c0d496d6167655365727665722e2a');
    expect(list('games', 'imgadmins')).toBe('3012130567616d65731309696d6761646d696e73');
    expect(list()).toBe('3000');
  });
  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (list) => {
        expect(groupsOf(withExtension(GROUPS_OID, encodeStringList(list)))).toEqual(
          list.map((text) => text.toWellFormed()),
        );
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^.]*\.[^.]*$/)), (list) => {
        const methods = list.map((text) => text.toWellFormed());
        expect(methodsOf(withExtension(METHODS_OID, encodeStringList(methods)))).toEqual(methods);
      }),
    );
  });
});

describe('hostile bytes', () => {
  test('are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        refusesOrReturns(() => groupsOf(withExtension(GROUPS_OID, bytes)));
        refusesOrReturns(() => methodsOf(withExtension(METHODS_OID, bytes)));
        refusesOrReturns(() => oidText(bytes));
        refusesOrReturns(() => parseCertificate(bytes));
        refusesOrReturns(() => stringValue(new DerReader(bytes).next()));
      }),
      { numRuns: 2000 },
    );
  });

  test('a certificate with changed bytes is refused, whatever they are', async () => {
    const ca = await makeAuthority('CA');
    const leaf = await makeClient('alice', ca, { methods: ['ImageServer.*'], groups: ['a'] });
    const { raw } = leaf.certificate;
    const authorizer = new Authorizer({ full: [ca.certificate], identity: undefined });
    expect(authorizer.examine([raw], true, Date.now())).toHaveProperty('identity');
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const changed = Uint8Array.from(raw);
        changed[at] = (changed[at] as number) ^ difference;
        expect(authorizer.examine([changed], true, Date.now())).toHaveProperty('refused');
      }),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(fc.nat(raw.length - 1), (length) => {
        expect(authorizer.examine([raw.subarray(0, length)], true, Date.now())).toHaveProperty('refused');
      }),
      { numRuns: 200 },
    );
  });
});

test('several certificates in a PEM text, other things between them', async () => {
  const one = await makeAuthority('One');
  const two = await makeAuthority('Two');
  const text = `# CAs\r\n${one.cert}subject=/CN=Two\n${two.cert.replaceAll('\n', '\r\n')}${one.key}`;
  expect(parsePem(text).map(({ commonName }) => commonName)).toEqual(['One', 'Two']);
  expect(() => parsePem('-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----')).toThrow(DerError);
});
