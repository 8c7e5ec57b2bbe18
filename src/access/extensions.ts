/** The two certificate extensions that say what a caller may do and to which groups it belongs. */
import type { Certificate } from './certificate.ts';
import { DerError, only, stringValue, TAG } from './der.ts';

export const METHODS_OID = '1.3.6.1.4.1.9586.100.7.1';
export const GROUPS_OID = '1.3.6.1.4.1.9586.100.7.2';

/** A SEQUENCE OF strings of any kind. Throws DerError. */
function stringList(value: Uint8Array): string[] {
  const list: string[] = [];
  const reader = only(value, TAG.SEQUENCE);
  while (!reader.done) {
    const text = stringValue(reader.next());
    if (text === undefined) throw new DerError('not a string');
    list.push(text);
  }
  return list;
}

function listOf(certificate: Certificate, oid: string): string[] {
  const extension = certificate.extensions.find((one) => one.oid === oid);
  return extension ? stringList(extension.value) : [];
}

/** Globs of `Service.Method`. Throws DerError, also for entries that do not have exactly one dot. */
export function methodsOf(certificate: Certificate): string[] {
  const list = listOf(certificate, METHODS_OID);
  const bad = list.find((entry) => entry.split('.').length !== 2);
  if (bad !== undefined) throw new DerError(`bad entry ${JSON.stringify(bad)}`);
  return list;
}

/** Throws DerError. */
export function groupsOf(certificate: Certificate): string[] {
  return listOf(certificate, GROUPS_OID);
}
