/**
 * Names in certificates: alternative names, and the constraints that a CA may be bound to (RFC 5280 4.2.1.10). Names of
 * kinds other than mail, DNS, URI and address mean nothing here; a critical constraint on them closes the door.
 */
import { DerError, DerReader, only } from './der.ts';

type Kind = 'email' | 'dns' | 'uri' | 'address';
export interface GeneralName {
  readonly kind: Kind;
  readonly value: Uint8Array;
}
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
  /** There are constraints of a kind that is not looked at. */
  readonly others: boolean;
}

const KINDS: Record<number, Kind> = { 129: 'email', 130: 'dns', 134: 'uri', 135: 'address' };
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const SEQUENCE = 0x30;

/** Printable ASCII without blanks: what stands in names of hosts, mailboxes and URIs. */
function asciiOf(value: Uint8Array): string {
  const text = Buffer.from(value).toString('latin1');
  if (!/^[!-~]*$/.test(text)) throw new DerError('character not allowed in a name');
  return text;
}

/** Labels of a domain, the last first, in lower case. Throws DerError; nothing has no labels. */
function labelsOf(domain: string): string[] {
  if (domain === '') return [];
  const labels = domain.toLowerCase().split('.').reverse();
  if (labels.includes('')) throw new DerError(`bad domain ${JSON.stringify(domain)}`);
  return labels;
}

/** Host of a URI that has one: its name, without user and port. Throws DerError for what is none. */
function hostOf(uri: string): string | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(uri)) throw new DerError('bad URI');
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1];
  return authority?.replace(/^.*@/, '').replace(/:\d*$/, '');
}

function checkName({ kind, value }: GeneralName): void {
  if (kind === 'address') {
    if (value.length !== 4 && value.length !== 16) throw new DerError('bad address');
    return;
  }
  const text = asciiOf(value);
  if (kind === 'uri') labelsOf(hostOf(text) ?? '');
}

/** Names of the kinds that count. Throws DerError. */
export function readAlternativeNames(extension: Uint8Array): GeneralName[] {
  const names: GeneralName[] = [];
  const reader = only(extension, SEQUENCE);
  while (!reader.done) {
    const { tag, content } = reader.next();
    const kind = KINDS[tag];
    if (!kind) continue;
    const name = { kind, value: content };
    checkName(name);
    names.push(name);
  }
  return names;
}

function checkConstraint({ kind, value }: GeneralName): void {
  if (kind === 'address') {
    if (value.length !== 8 && value.length !== 32) throw new DerError('bad address constraint');
    const bits = Array.from(value.subarray(value.length / 2), (byte) => byte.toString(2).padStart(8, '0'));
    if (!/^1*0*$/.test(bits.join(''))) throw new DerError('bad mask of an address constraint');
    return;
  }
  const text = asciiOf(value);
  const [, domain = text] = kind === 'email' ? (/^[^@]+@(.+)$/.exec(text) ?? []) : [];
  labelsOf(domain.replace(/^\./, ''));
}

/** Throws DerError. */
export function readNameConstraints(extension: Uint8Array): NameConstraints {
  let others = false;
  const subtrees = (content: Uint8Array | undefined): GeneralName[] => {
    const names: GeneralName[] = [];
    const reader = new DerReader(content ?? new Uint8Array(0));
    while (!reader.done) {
      const subtree = new DerReader(reader.expect(SEQUENCE).content);
      const { tag, content: value } = subtree.next();
      // No distances: RFC 5280 forbids others than the standard one.
      subtree.finish();
      const kind = KINDS[tag];
      if (!kind) {
        others = true;
        continue;
      }
      const name = { kind, value };
      checkConstraint(name);
      names.push(name);
    }
    return names;
  };
  const reader = only(extension, SEQUENCE);
  const permitted = subtrees(reader.optional(PERMITTED)?.content);
  const excluded = subtrees(reader.optional(EXCLUDED)?.content);
  reader.finish();
  if (permitted.length === 0 && excluded.length === 0 && !others)
    throw new DerError('empty name constraints');
  return { permitted, excluded, others };
}

/** A domain fits a constraint if that is its end; with a period in front there must be more. */
function domainFits(domain: string, constraint: string): boolean {
  const wanted = labelsOf(constraint.replace(/^\./, ''));
  const labels = labelsOf(domain);
  if (constraint.startsWith('.') && labels.length === wanted.length) return false;
  return labels.length >= wanted.length && wanted.every((label, index) => labels[index] === label);
}

function mailFits(address: string, constraint: string): boolean {
  const [, local = '', domain = ''] = /^([^@"]+)@([^@"]+)$/.exec(address) ?? [];
  if (domain === '') throw new DerError('mail address not understood');
  const at = constraint.indexOf('@');
  if (at < 0) return domainFits(domain, constraint);
  return local === constraint.slice(0, at) && domain.toLowerCase() === constraint.slice(at + 1).toLowerCase();
}

function uriFits(uri: string, constraint: string): boolean {
  const host = hostOf(uri);
  if (!host || /^\[|^[\d.]+$/.test(host)) throw new DerError('a URI without a name of a host');
  return domainFits(host, constraint);
}

function addressFits(address: Uint8Array, constraint: Uint8Array): boolean {
  const { length } = address;
  if (constraint.length !== 2 * length) return false;
  return address.every((byte, index) => {
    const mask = constraint[length + index] ?? 0xff;
    return (byte & mask) === ((constraint[index] ?? 0) & mask);
  });
}

function fits(name: GeneralName, constraint: GeneralName): boolean {
  if (name.kind === 'address') return addressFits(name.value, constraint.value);
  const [value, limit] = [asciiOf(name.value), asciiOf(constraint.value)];
  if (name.kind === 'email') return mailFits(value, limit);
  return name.kind === 'uri' ? uriFits(value, limit) : domainFits(value, limit);
}

/** Whether all names keep to the constraints. Kinds without a constraint are free. In doubt, no. */
export function namesKeepTo(names: readonly GeneralName[], constraints: NameConstraints): boolean {
  try {
    return names.every((name) => {
      const same = ({ kind }: GeneralName) => kind === name.kind;
      const permitted = constraints.permitted.filter(same);
      if (constraints.excluded.filter(same).some((one) => fits(name, one))) return false;
      return permitted.length === 0 || permitted.some((one) => fits(name, one));
    });
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}
