/** One certificate, taken apart as far as trust and identity need it. Refuses what it cannot make sense of. */
import { X509Certificate } from 'node:crypto';
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
import { readStandardExtensions, type StandardExtensions } from './standard-extensions.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** Content of the OCTET STRING. */
  readonly value: Uint8Array;
}

export interface Certificate extends StandardExtensions {
  /** 1, 2 or 3. */
  readonly version: number;
  /** For signatures and keys. */
  readonly x509: X509Certificate;
  readonly raw: Uint8Array;
  readonly serial: string;
  /** SHA-256 of the whole certificate, hex. */
  readonly fingerprint: string;
  /** Raw names, base64: they compare as bytes. */
  readonly issuer: string;
  readonly subject: string;
  /** Raw SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  /** Common name of the subject; the last one if there are several; empty if there is none. */
  readonly commonName: string;
  /** Milliseconds since the epoch, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly signatureAlgorithm: string;
  readonly extensions: readonly Extension[];
}

const COMMON_NAME = '2.5.4.3';
const CONTEXT = { VERSION: 0xa0, ISSUER_ID: 0x81, SUBJECT_ID: 0x82, EXTENSIONS: 0xa3 } as const;

/** The last common name in a name; empty if there is none. Throws DerError for anything in it that is no string. */
function commonNameOf(name: Uint8Array): string {
  let common = '';
  const sets = only(name, TAG.SEQUENCE);
  while (!sets.done) {
    const set = new DerReader(sets.expect(TAG.SET).content);
    while (!set.done) {
      const attribute = new DerReader(set.expect(TAG.SEQUENCE).content);
      const type = oidText(attribute.expect(TAG.OID).content);
      const element = attribute.next();
      const value = element.tag === TAG.GENERAL_STRING ? undefined : stringValue(element);
      attribute.finish();
      if (value === undefined) throw new DerError('a name with something that is no string');
      if (type === COMMON_NAME) common = value;
    }
  }
  return common;
}

function readExtensions(wrapped: Uint8Array): Extension[] {
  const list: Extension[] = [];
  const reader = only(wrapped, TAG.SEQUENCE);
  while (!reader.done) {
    const one = new DerReader(reader.expect(TAG.SEQUENCE).content);
    const oid = oidText(one.expect(TAG.OID).content);
    const flag = one.optional(TAG.BOOLEAN);
    const value = one.expect(TAG.OCTET_STRING).content;
    one.finish();
    list.push({ oid, critical: flag ? booleanValue(flag.content) : false, value });
  }
  return list;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

/** Takes a DER certificate apart. Throws DerError for anything unusual. */
export function parseCertificate(der: Uint8Array): Certificate {
  const raw = Uint8Array.from(der);
  const outer = only(raw, TAG.SEQUENCE);
  const tbs = new DerReader(outer.expect(TAG.SEQUENCE).content);
  const algorithm = outer.expect(TAG.SEQUENCE);
  outer.expect(TAG.BIT_STRING);
  outer.finish();

  const version = tbs.optional(CONTEXT.VERSION);
  const serial = tbs.expect(TAG.INTEGER).content;
  if (base64(tbs.expect(TAG.SEQUENCE).raw) !== base64(algorithm.raw))
    throw new DerError('two signature algorithms');
  const issuer = tbs.expect(TAG.SEQUENCE).raw;
  const validity = new DerReader(tbs.expect(TAG.SEQUENCE).content);
  const notBefore = timeValue(validity.next());
  const notAfter = timeValue(validity.next());
  validity.finish();
  const subject = tbs.expect(TAG.SEQUENCE).raw;
  const publicKey = tbs.expect(TAG.SEQUENCE).raw;
  tbs.optional(CONTEXT.ISSUER_ID);
  tbs.optional(CONTEXT.SUBJECT_ID);
  const wrapped = tbs.optional(CONTEXT.EXTENSIONS);
  tbs.finish();
  const number = version ? smallInteger(only(version.content, TAG.INTEGER).bytes) + 1 : 1;
  if (number > 3) throw new DerError('unknown version');
  if (wrapped && number !== 3) throw new DerError('extensions in an old certificate');
  commonNameOf(issuer);

  const extensions = wrapped ? readExtensions(wrapped.content) : [];
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(raw);
  } catch (error) {
    throw new DerError('not a certificate', { cause: error });
  }
  return {
    version: number,
    x509,
    raw,
    serial: Buffer.from(serial)
      .toString('hex')
      .replace(/^(00)+(?=..)/, ''),
    fingerprint: new Bun.CryptoHasher('sha256').update(raw).digest('hex'),
    issuer: base64(issuer),
    subject: base64(subject),
    publicKey: base64(publicKey),
    commonName: commonNameOf(subject),
    notBefore,
    notAfter,
    signatureAlgorithm: oidText(new DerReader(algorithm.content).expect(TAG.OID).content),
    extensions,
    ...readStandardExtensions(extensions),
  };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, not taken apart yet; other blocks and text between them are skipped. */
export function pemBlocks(text: string): Uint8Array[] {
  return Array.from(text.matchAll(PEM), ([block]) =>
    Buffer.from(block.replace(/-----[^-]+-----|\s+/g, ''), 'base64'),
  );
}

/** All certificates in a PEM text, in its order. Throws DerError. */
export function parsePem(text: string): Certificate[] {
  return pemBlocks(text).map(parseCertificate);
}
