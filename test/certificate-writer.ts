/**
 * Writes certificates that no issuer would: every field may be odd. Tests show them to the server (and to the original)
 * to see that both draw the line at the same place.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** One DER element. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), content]);
}
const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents);
export const text = (tag: number, value: string) => der(tag, Buffer.from(value, 'utf8'));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Uint8Array.from(bytes));
}

const NULL = Uint8Array.of(5, 0);
const COMMON_NAME = '2.5.4.3';
const TRUE = Uint8Array.of(1, 1, 0xff);

/** Signature algorithms: the identifier in the certificate, and how to sign. */
const hashIds = { sha256: '2.16.840.1.101.3.4.2.1' };
const pss = sequence(
  der(0xa0, sequence(oid(hashIds.sha256), NULL)),
  der(0xa1, sequence(oid('1.2.840.113549.1.1.8'), sequence(oid(hashIds.sha256), NULL))),
  der(0xa2, der(2, Uint8Array.of(32))),
);
const ALGORITHMS = {
  'ecdsa-sha1': [sequence(oid('1.2.840.10045.4.1')), 'sha1'],
  'ecdsa-sha256': [sequence(oid('1.2.840.10045.4.3.2')), 'sha256'],
  'ecdsa-sha384': [sequence(oid('1.2.840.10045.4.3.3')), 'sha384'],
  'ecdsa-sha512': [sequence(oid('1.2.840.10045.4.3.4')), 'sha512'],
  'ecdsa-sha224': [sequence(oid('1.2.840.10045.4.3.1')), 'sha224'],
  'rsa-md5': [sequence(oid('1.2.840.113549.1.1.4'), NULL), 'md5'],
  'rsa-sha1': [sequence(oid('1.2.840.113549.1.1.5'), NULL), 'sha1'],
  'rsa-sha256': [sequence(oid('1.2.840.113549.1.1.11'), NULL), 'sha256'],
  'rsa-sha512': [sequence(oid('1.2.840.113549.1.1.13'), NULL), 'sha512'],
  'rsa-pss': [sequence(oid('1.2.840.113549.1.1.10'), pss), 'sha256'],
  ed25519: [sequence(oid('1.3.101.112')), ''],
} as const;
type Algorithm = keyof typeof ALGORITHMS;

export interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
export const ecKeys = (namedCurve = 'P-256'): Keys => generateKeyPairSync('ec', { namedCurve });
export const rsaKeys = (modulusLength = 2048): Keys => generateKeyPairSync('rsa', { modulusLength });
export const edKeys = (): Keys => generateKeyPairSync('ed25519');

export interface Extension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Uint8Array;
}

export interface Recipe {
  /** A common name, or a whole raw name. */
  readonly subject: string | Uint8Array;
  readonly keys: Keys;
  /** Undefined: it signs itself. */
  readonly issuer?: Written;
  /** Instead of the issuer's subject. */
  readonly issuerName?: Uint8Array;
  readonly algorithm?: Algorithm;
  /** The algorithm as named in the signed part, if it is to differ. */
  readonly innerAlgorithm?: Algorithm;
  readonly extensions?: readonly Extension[];
  /** 1, 2 or 3. */
  readonly version?: number;
  readonly serial?: Uint8Array;
  readonly notBefore?: Uint8Array;
  readonly notAfter?: Uint8Array;
  /** Changes the finished signature. */
  readonly spoil?: (signature: Buffer) => Buffer;
  /** Changes the finished certificate. */
  readonly bend?: (raw: Buffer) => Buffer;
}

export interface Written {
  readonly raw: Buffer;
  readonly name: Buffer;
  readonly keys: Keys;
}

const attribute = (type: string, value: Uint8Array) => der(0x31, sequence(oid(type), value));
/** A name of common names only; each value a whole element. */
export const rawName = (...values: readonly Uint8Array[]) =>
  sequence(...values.map((value) => attribute(COMMON_NAME, value)));
/** A name as from CN=value. */
export const nameOf = (value: string) => rawName(text(0x0c, value));
/** A name without common name. */
export const organization = (value: string) => sequence(attribute('2.5.4.10', text(0x0c, value)));

const two = (value: number) => String(value).padStart(2, '0');
/** GeneralizedTime so many days from now. */
export function time(days: number): Buffer {
  const date = new Date(Date.now() + days * 86_400_000);
  const digits = [
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  return text(0x18, `${date.getUTCFullYear()}${digits.map(two).join('')}Z`);
}

function algorithmFor(keys: Keys): Algorithm {
  const { asymmetricKeyType } = keys.privateKey;
  return asymmetricKeyType === 'rsa'
    ? 'rsa-sha256'
    : asymmetricKeyType === 'ed25519'
      ? 'ed25519'
      : 'ecdsa-sha256';
}

let count = 0;

/** Writes a certificate. */
export function write(recipe: Recipe): Written {
  const { keys, issuer, version = 3, extensions = [] } = recipe;
  const name = typeof recipe.subject === 'string' ? nameOf(recipe.subject) : Buffer.from(recipe.subject);
  const signer = issuer?.keys ?? keys;
  const algorithm = recipe.algorithm ?? algorithmFor(signer);
  const [identifier, hash] = ALGORITHMS[algorithm];
  const wrapped = extensions.map(({ oid: id, critical, value }) =>
    sequence(oid(id), ...(critical ? [TRUE] : []), der(4, value)),
  );
  const serial = recipe.serial ?? createHash('sha256').update(String(++count)).digest().subarray(0, 8);
  if (!recipe.serial) serial[0] = 0x40 | ((serial[0] as number) & 0x3f);
  const signed = sequence(
    ...(version === 1 ? [] : [der(0xa0, der(2, Uint8Array.of(version - 1)))]),
    der(2, serial),
    ALGORITHMS[recipe.innerAlgorithm ?? algorithm][0],
    recipe.issuerName ?? issuer?.name ?? name,
    sequence(recipe.notBefore ?? time(-1), recipe.notAfter ?? time(30)),
    name,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(wrapped.length > 0 ? [der(0xa3, sequence(...wrapped))] : []),
  );
  const key =
    algorithm === 'rsa-pss' ? { key: signer.privateKey, padding: 6, saltLength: 32 } : signer.privateKey;
  const signature = sign(hash === '' ? null : hash, signed, key);
  const raw = sequence(signed, identifier, der(3, Uint8Array.of(0), recipe.spoil?.(signature) ?? signature));
  return { raw: recipe.bend?.(raw) ?? raw, name, keys };
}

/** Extensions, well made and less so. */
export const extension = {
  constraints: (ca: boolean, pathLength?: number, critical = true): Extension => ({
    oid: '2.5.29.19',
    critical,
    value: sequence(
      ...(ca ? [TRUE] : []),
      ...(pathLength === undefined ? [] : [der(2, Uint8Array.of(pathLength))]),
    ),
  }),
  /** Bits from the left: 0x80 digital signature, 0x04 certificates. */
  keyUsage: (bits: number): Extension => ({
    oid: '2.5.29.15',
    critical: true,
    value: der(3, Uint8Array.of(0, bits)),
  }),
  usages: (...ids: readonly string[]): Extension => ({ oid: '2.5.29.37', value: sequence(...ids.map(oid)) }),
  alternativeNames: (...names: readonly Uint8Array[]): Extension => ({
    oid: '2.5.29.17',
    value: sequence(...names),
  }),
  /** GeneralNames that are permitted or not. */
  nameConstraints: (
    permitted: readonly Uint8Array[],
    excluded: readonly Uint8Array[] = [],
    critical = true,
  ): Extension => {
    const subtrees = (tag: number, names: readonly Uint8Array[]) =>
      names.length > 0 ? [der(tag, ...names.map((one) => sequence(one)))] : [];
    return {
      oid: '2.5.29.30',
      critical,
      value: sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded)),
    };
  },
  strings: (id: string, ...values: readonly Uint8Array[]): Extension => ({
    oid: id,
    value: sequence(...values),
  }),
};
export const dnsName = (value: string) => text(0x82, value);
export const emailName = (value: string) => text(0x81, value);
export const uriName = (value: string) => text(0x86, value);
export const addressName = (...bytes: readonly number[]) => der(0x87, Uint8Array.from(bytes));
export const directoryName = (name: Uint8Array) => der(0xa4, name);

export function pem(...certificates: readonly Written[]): string {
  return certificates
    .map(({ raw }) => {
      const lines = raw.toString('base64').match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}
