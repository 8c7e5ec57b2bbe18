/**
 * Making certificates and keys in the formats that the original's programs read. Loaded only by the commands that make
 * some, and by tests.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import type * as X509 from '@peculiar/x509';
import type { Extension } from './certificate.ts';
import { TAG } from './der.ts';
import { GROUPS_OID, METHODS_OID } from './extensions.ts';
import type { KeyPair } from './tls-files.ts';

type KeyKind = 'ecdsa' | 'rsa' | 'ed25519';
type Usage = 'client' | 'server' | 'any';

export interface CertificateSpec {
  /** Empty = a subject without common name. */
  readonly commonName: string;
  readonly organization?: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** May sign others. */
  readonly ca?: { readonly pathLength?: number };
  /** False: a CA whose key usage does not let it sign certificates (for tests). */
  readonly maySign?: boolean;
  /** Empty or undefined: no extended key usage, good for everything. */
  readonly usages?: readonly Usage[];
  /** Names and addresses of a server. */
  readonly hosts?: readonly string[];
  /** Globs of `Service.Method`; undefined: no extension. */
  readonly methods?: readonly string[];
  readonly groups?: readonly string[];
  readonly key?: KeyKind;
  readonly extensions?: readonly Extension[];
}

const KEYS = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 3072,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
  ed25519: { name: 'Ed25519' },
} as const;
const USAGES: Record<Usage, string> = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
};

/** The library wants the other one to be there first: bundlers keep that order only for imports made like this. */
async function loadLibrary(): Promise<typeof X509> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function element(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new RangeError('list too long for a certificate');
  return Uint8Array.of(tag, ...size, ...content);
}

/** The content of a method or group extension: a SEQUENCE OF strings, printable ones where possible. */
export function encodeStringList(list: readonly string[]): Uint8Array {
  const items = list.map((text) =>
    element(
      /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text) ? TAG.PRINTABLE_STRING : TAG.UTF8_STRING,
      Buffer.from(text, 'utf8'),
    ),
  );
  return element(TAG.SEQUENCE, Buffer.concat(items));
}

interface SigningAlgorithm {
  readonly name: string;
  readonly namedCurve?: string;
  readonly hash?: string;
}

/** How webcrypto calls what a key does. */
function signingAlgorithm(key: KeyObject): SigningAlgorithm {
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  const curves: Record<string, [curve: string, hash: string]> = {
    prime256v1: ['P-256', 'SHA-256'],
    secp384r1: ['P-384', 'SHA-384'],
    secp521r1: ['P-521', 'SHA-512'],
  };
  const [curve, hash] = curves[namedCurve ?? ''] ?? ['', 'SHA-256'];
  switch (key.asymmetricKeyType) {
    case 'ec':
      return { name: 'ECDSA', namedCurve: curve, hash };
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    case 'ed25519':
      return { name: 'Ed25519' };
    default:
      throw new Error(`keys of type ${key.asymmetricKeyType} cannot sign certificates here`);
  }
}

async function importSigner(pem: string) {
  const key = createPrivateKey(pem);
  const algorithm = signingAlgorithm(key);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { algorithm, key: await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']) };
}

function extensionsOf(
  x509: typeof X509,
  spec: CertificateSpec,
  keyId: string,
  issuerId: string,
): X509.Extension[] {
  const { KeyUsageFlags: flags } = x509;
  const list: X509.Extension[] = [
    spec.ca
      ? new x509.BasicConstraintsExtension(true, spec.ca.pathLength, true)
      : new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(
      spec.ca
        ? (spec.maySign === false ? 0 : flags.keyCertSign) | flags.cRLSign
        : flags.digitalSignature | flags.keyEncipherment,
      true,
    ),
  ];
  if (spec.usages?.length)
    list.push(new x509.ExtendedKeyUsageExtension(spec.usages.map((usage) => USAGES[usage])));
  if (spec.ca) list.push(new x509.SubjectKeyIdentifierExtension(keyId));
  if (issuerId !== '') list.push(new x509.AuthorityKeyIdentifierExtension(issuerId));
  if (spec.hosts?.length)
    list.push(
      new x509.SubjectAlternativeNameExtension(
        spec.hosts.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
      ),
    );
  const lists: [string, readonly string[] | undefined][] = [
    [METHODS_OID, spec.methods],
    [GROUPS_OID, spec.groups],
  ];
  for (const [oid, values] of lists)
    if (values) list.push(new x509.Extension(oid, false, encodeStringList(values)));
  for (const { oid, critical, value } of spec.extensions ?? [])
    list.push(new x509.Extension(oid, critical, value));
  return list;
}

/** A new key and its certificate, signed by `issuer` or by itself. Both PEM; the key as PKCS #8. */
export async function issueCertificate(spec: CertificateSpec, issuer?: KeyPair): Promise<KeyPair> {
  const x509 = await loadLibrary();
  const algorithm = KEYS[spec.key ?? 'ecdsa'];
  const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const publicKey = new x509.PublicKey(await crypto.subtle.exportKey('spki', keys.publicKey));
  const keyId = Buffer.from(await publicKey.getKeyIdentifier()).toString('hex');
  const parent = issuer && new x509.X509Certificate(issuer.cert);
  const signer = issuer ? await importSigner(issuer.key) : { algorithm, key: keys.privateKey };
  const issuerId = parent?.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? (parent ? '' : keyId);
  const subject = new x509.Name([
    ...(spec.organization ? [{ O: [spec.organization] }] : []),
    ...(spec.commonName ? [{ CN: [spec.commonName] }] : []),
  ]);
  const serial = crypto.getRandomValues(new Uint8Array(16));
  // Positive and never shorter than it should be.
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(serial).toString('hex'),
    subject,
    issuer: parent ? parent.subjectName : subject,
    notBefore: spec.notBefore,
    notAfter: spec.notAfter,
    signingAlgorithm: signer.algorithm as X509.HashedAlgorithm,
    publicKey,
    signingKey: signer.key,
    extensions: extensionsOf(x509, spec, keyId, issuerId),
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  // What was made must be what it says, whatever made it.
  if (!createPublicKey(key).equals(createPublicKey(certificate.toString('pem'))))
    throw new Error('the new certificate does not fit its key');
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
