/** From verified chains to an identity: user name, groups, permitted methods. */
import type { Certificate } from './certificate.ts';
import { DerError } from './der.ts';
import { groupsOf, methodsOf } from './extensions.ts';
import type { Identity } from './identity.ts';
import type { Chain } from './verify.ts';

/** The certificates of the CA files. */
export interface Trust {
  /** Trusted to say who somebody is and what they may do. */
  readonly full: readonly Certificate[];
  /** Trusted to say who somebody is; undefined if there is no such file. */
  readonly identity: readonly Certificate[] | undefined;
}

export function anchorsOf(trust: Trust): readonly Certificate[] {
  return [...trust.full, ...(trust.identity ?? [])];
}

/**
 * Whether the method lists along a chain count. With an identity CA they do only if the leaf was issued by a CA of the
 * full-auth file itself and the chain ends at one: an identity CA must not lend powers by taking a full-auth CA's name.
 */
function grantsMethods(trust: Trust, chain: Chain): boolean {
  if (!trust.identity) return true;
  const [leaf] = chain;
  const anchor = chain[chain.length - 1];
  return (
    trust.full.some((ca) => ca.subject === leaf?.issuer) &&
    trust.full.some((ca) => ca.fingerprint === anchor?.fingerprint)
  );
}

function extensionsOf<T>(what: string, certificate: Certificate, read: (certificate: Certificate) => T): T {
  try {
    return read(certificate);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new DerError(
      `malformed ${what} in the certificate of "${certificate.commonName}": ${error.message}`,
    );
  }
}

/**
 * The identity of a peer. The user is the first common name, the groups the first list that are not empty, each chain
 * read from leaf to root; methods are those of all certificates. Throws DerError for malformed extensions.
 */
export function identify(chains: readonly Chain[], trust: Trust): Identity {
  let user = '';
  let groups: readonly string[] = [];
  const methods = new Set<string>();
  for (const chain of chains) {
    const counts = grantsMethods(trust, chain);
    for (const certificate of chain) {
      const granted = extensionsOf('method list', certificate, methodsOf);
      const listed = extensionsOf('group list', certificate, groupsOf);
      user ||= certificate.commonName;
      if (groups.length === 0) groups = listed;
      if (counts) for (const method of granted) methods.add(method);
    }
  }
  const leaf = chains[0]?.[0];
  return {
    user,
    groups: new Set(groups),
    methods: [...methods].sort(),
    ...(leaf ? { certificate: { serial: leaf.serial, fingerprint: leaf.fingerprint } } : {}),
    authenticated: leaf !== undefined,
  };
}
