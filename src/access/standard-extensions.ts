/** The extensions of RFC 5280: what they say, and whether they are well made. A malformed one spoils the certificate. */
import type { Extension } from './certificate.ts';
import { booleanValue, DerError, DerReader, oidText, only, smallInteger, TAG } from './der.ts';
import {
  type GeneralName,
  type NameConstraints,
  readAlternativeNames,
  readNameConstraints,
} from './general-names.ts';

export interface StandardExtensions {
  /** Undefined without basicConstraints. */
  readonly constraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  /** May sign certificates by its keyUsage; true without keyUsage. */
  readonly maySign: boolean;
  /** OIDs of the extended key usages; empty without the extension. */
  readonly usages: readonly string[];
  readonly alternativeNames: readonly GeneralName[];
  readonly nameConstraints: NameConstraints | undefined;
  /** OID of a critical extension whose meaning is not known here. */
  readonly unhandled: string | undefined;
}

/** Bit of keyUsage, counted from the left. */
const KEY_CERT_SIGN = 5;
const FULL_NAME = 0xa0;

function readConstraints(value: Uint8Array): StandardExtensions['constraints'] {
  const reader = only(value, TAG.SEQUENCE);
  const flag = reader.optional(TAG.BOOLEAN);
  const length = reader.optional(TAG.INTEGER);
  reader.finish();
  return {
    ca: flag ? booleanValue(flag.content) : false,
    pathLength: length ? smallInteger(length.content) : undefined,
  };
}

function readMaySign(value: Uint8Array): boolean {
  const reader = new DerReader(value);
  const { content } = reader.expect(TAG.BIT_STRING);
  reader.finish();
  const [unused = 8, bits = 0] = content;
  const last = content.length > 1 ? (content[content.length - 1] ?? 0) : 0;
  if (unused > 7 || (content.length === 1 && unused > 0) || (last & ((1 << unused) - 1)) !== 0)
    throw new DerError('bad bit string');
  return ((bits << KEY_CERT_SIGN) & 0x80) !== 0;
}

/** Each element of a SEQUENCE OF SEQUENCE. */
function each(value: Uint8Array, look: (one: DerReader) => void): void {
  const reader = only(value, TAG.SEQUENCE);
  while (!reader.done) look(new DerReader(reader.expect(TAG.SEQUENCE).content));
}

function readUsages(value: Uint8Array): string[] {
  const list: string[] = [];
  const reader = only(value, TAG.SEQUENCE);
  while (!reader.done) list.push(oidText(reader.expect(TAG.OID).content));
  if (list.length === 0) throw new DerError('empty list of key usages');
  return list;
}

function checkElements(reader: DerReader): void {
  while (!reader.done) reader.next();
}

/** Extensions that mean nothing here, by what makes them well formed. */
const CHECKED: Record<string, (value: Uint8Array) => void> = {
  // Subject and authority key identifier.
  '2.5.29.14': (value) => {
    const reader = new DerReader(value);
    reader.expect(TAG.OCTET_STRING);
    reader.finish();
  },
  '2.5.29.35': (value) => checkElements(only(value, TAG.SEQUENCE)),
  // Where revocation lists are.
  '2.5.29.31': (value) =>
    each(value, (point) => {
      const name = point.optional(FULL_NAME);
      if (name) checkElements(new DerReader(new DerReader(name.content).expect(FULL_NAME).content));
      checkElements(point);
    }),
  // Policies.
  '2.5.29.32': (value) =>
    each(value, (policy) => {
      oidText(policy.expect(TAG.OID).content);
      checkElements(policy);
    }),
  // Where more is to be had about the issuer.
  '1.3.6.1.5.5.7.1.1': (value) =>
    each(value, (access) => {
      oidText(access.expect(TAG.OID).content);
      access.next();
      access.finish();
    }),
};

/** Throws DerError for a malformed extension and for any that stands there twice. */
export function readStandardExtensions(extensions: readonly Extension[]): StandardExtensions {
  const seen = new Set<string>();
  const result: { -readonly [K in keyof StandardExtensions]: StandardExtensions[K] } = {
    constraints: undefined,
    maySign: true,
    usages: [],
    alternativeNames: [],
    nameConstraints: undefined,
    unhandled: undefined,
  };
  for (const { oid, critical, value } of extensions) {
    if (seen.has(oid)) throw new DerError(`extension ${oid} twice`);
    seen.add(oid);
    let handled = true;
    switch (oid) {
      case '2.5.29.15':
        result.maySign = readMaySign(value);
        break;
      case '2.5.29.17':
        result.alternativeNames = readAlternativeNames(value);
        handled = result.alternativeNames.length > 0;
        break;
      case '2.5.29.19':
        result.constraints = readConstraints(value);
        break;
      case '2.5.29.30':
        result.nameConstraints = readNameConstraints(value);
        handled = !result.nameConstraints.others;
        break;
      case '2.5.29.37':
        result.usages = readUsages(value);
        break;
      default:
        handled = Object.hasOwn(CHECKED, oid);
        CHECKED[oid]?.(value);
    }
    if (critical && !handled) result.unhandled ??= oid;
  }
  return result;
}
