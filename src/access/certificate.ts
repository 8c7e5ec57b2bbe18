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

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** Content of the OCTET STRING. */
  readonly value: Uint8Array;
}

export interface Certificate {
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
  /** Undefined without basicConstraints. */
  readonly constraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  /** May sign certificates by its keyUsage; true without keyUsage. */
  readonly maySign: boolean;
  /** OIDs of the extended key usages; empty without the extension. */
  readonly usages: readonly string[];
  readonly nameConstraints: boolean;
}

const COMMON_NAME = '2.5.4.3';
const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const NAME_CONSTRAINTS = '2.5.29.30';
const EXTENDED_KEY_USAGE = '2.5.29.37';
/** Bit of keyUsage, counted from the left. */
const KEY_CERT_SIGN = 5;
const CONTEXT = { VERSION: 0xa0, ISSUER_ID: 0x81, SUBJECT_ID: 0x82, EXTENSIONS: 0xa3 } as const;

function commonNameOf(name: Uint8Array): string {
  let common = '';
  const sets = only(name, TAG.SEQUENCE);
  while (!sets.done) {
    const set = new DerReader(sets.expect(TAG.SET).content);
    while (!set.done) {
      const attribute = new DerReader(set.expect(TAG.SEQUENCE).content);
      const type = oidText(attribute.expect(TAG.OID).content);
      const value = attribute.next();
      attribute.finish();
      if (type === COMMON_NAME) common = stringValue(value) ?? common;
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

function standard(extensions: readonly Extension[], oid: string): Uint8Array | undefined {
  const found = extensions.filter((extension) => extension.oid === oid);
  if (found.length > 1) throw new DerError(`extension ${oid} twice`);
  return found[0]?.value;
}

function readConstraints(value: Uint8Array | undefined): Certificate['constraints'] {
  if (!value) return undefined;
  const reader = only(value, TAG.SEQUENCE);
  const flag = reader.optional(TAG.BOOLEAN);
  const length = reader.optional(TAG.INTEGER);
  reader.finish();
  return {
    ca: flag ? booleanValue(flag.content) : false,
    pathLength: length ? smallInteger(length.content) : undefined,
  };
}

function readMaySign(value: Uint8Array | undefined): boolean {
  if (!value) return true;
  const reader = new DerReader(value);
  const [unused = 8, bits = 0] = reader.expect(TAG.BIT_STRING).content;
  reader.finish();
  if (unused > 7) throw new DerError('bad bit string');
  return ((bits << KEY_CERT_SIGN) & 0x80) !== 0;
}

function readUsages(value: Uint8Array | undefined): string[] {
  if (!value) return [];
  const list: string[] = [];
  const reader = only(value, TAG.SEQUENCE);
  while (!reader.done) list.push(oidText(reader.expect(TAG.OID).content));
  if (list.length === 0) throw new DerError('empty list of key usages');
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
  if (wrapped && (!version || smallInteger(only(version.content, TAG.INTEGER).bytes) !== 2))
    throw new DerError('extensions in an old certificate');

  const extensions = wrapped ? readExtensions(wrapped.content) : [];
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(raw);
  } catch (error) {
    throw new DerError('not a certificate', { cause: error });
  }
  return {
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
    constraints: readConstraints(standard(extensions, BASIC_CONSTRAINTS)),
    maySign: readMaySign(standard(extensions, KEY_USAGE)),
    usages: readUsages(standard(extensions, EXTENDED_KEY_USAGE)),
    nameConstraints: standard(extensions, NAME_CONSTRAINTS) !== undefined,
  };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** All certificates in a PEM text, in its order; other blocks and text between them are skipped. Throws DerError. */
export function parsePem(text: string): Certificate[] {
  return Array.from(text.matchAll(PEM), ([block]) =>
    parseCertificate(Buffer.from(block.replace(/-----[^-]+-----|\s+/g, ''), 'base64')),
  );
}
