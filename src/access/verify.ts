/**
 * Which chains lead from a client's certificate to a CA that we trust. The rules are those of the original's verifier:
 * every certificate in the CA files is an anchor, the peer may send intermediates in any order, every certificate of a
 * chain must be valid now, every extended key usage along it must permit client authentication, and name constraints are
 * kept. The runtime's own verifier cannot be used because it refuses certificates that only carry anyExtendedKeyUsage;
 * that the peer holds the key is proved by the TLS handshake.
 */
import type { Certificate } from './certificate.ts';
import { namesKeepTo } from './general-names.ts';

/** From leaf to anchor. */
export type Chain = readonly Certificate[];
export type Verified = { readonly chains: readonly Chain[] } | { readonly refused: string };

const ANY_USAGE = '2.5.29.37.0';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** Bounds the work for a peer that sends many certificates with the same names. */
const MAX_SIGNATURE_CHECKS = 100;
const MAX_PRESENTED = 32;

/** RSA with SHA-2 (PKCS #1 and PSS), ECDSA with SHA-2, Ed25519. SHA-1 and older prove nothing any more. */
const SIGNATURES = new Set([
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
]);

const iso = (time: number) => new Date(time).toISOString().replace('.000Z', 'Z');

/** Why a certificate cannot be part of any chain; undefined if it can. */
function unusable(certificate: Certificate, now: number): string | undefined {
  if (now > certificate.notAfter) return `expired at ${iso(certificate.notAfter)}`;
  if (now < certificate.notBefore) return `not valid before ${iso(certificate.notBefore)}`;
  const { unhandled } = certificate;
  return unhandled === undefined ? undefined : `unknown critical extension ${unhandled}`;
}

function permitsClients(certificate: Certificate): boolean {
  const { usages } = certificate;
  return usages.length === 0 || usages.includes(ANY_USAGE) || usages.includes(CLIENT_AUTH);
}

const sameKeyAndName = (a: Certificate, b: Certificate) =>
  a.subject === b.subject && a.publicKey === b.publicKey;

/** Whether the names of a chain keep to what binds the CA that is to issue it. */
function isBoundTo(parent: Certificate, chain: Chain): boolean {
  const { nameConstraints } = parent;
  if (!nameConstraints) return true;
  return [...chain, parent].every(({ alternativeNames }) => namesKeepTo(alternativeNames, nameConstraints));
}

class ChainSearch {
  readonly chains: Chain[] = [];
  /** Why candidates were rejected, for the log. */
  readonly reasons: string[] = [];
  readonly #signatures = new Map<string, boolean>();
  readonly #intermediates: readonly Certificate[];

  constructor(
    presented: readonly Certificate[],
    readonly anchors: readonly Certificate[],
    readonly now: number,
  ) {
    this.#intermediates = this.#rooted(presented);
  }

  /**
   * Those of the presented certificates that our CAs signed, themselves or through each other. Looking from the anchors
   * down, no signature is checked with a key that a stranger chose: such checks can be made expensive.
   */
  #rooted(presented: readonly Certificate[]): Certificate[] {
    const found = new Set<Certificate>();
    const issuers = [...this.anchors];
    for (const issuer of issuers)
      for (const one of presented)
        if (!found.has(one) && one.issuer === issuer.subject && this.#signed(issuer, one)) {
          found.add(one);
          issuers.push(one);
        }
    return [...found];
  }

  extend(chain: Chain): void {
    const child = chain[chain.length - 1] as Certificate;
    for (const parent of this.anchors)
      if (this.#issued(parent, child, chain, true)) this.chains.push([...chain, parent]);
    for (const parent of this.#intermediates)
      if (this.#issued(parent, child, chain, false)) this.extend([...chain, parent]);
  }

  #issued(parent: Certificate, child: Certificate, chain: Chain, anchor: boolean): boolean {
    if (parent.subject !== child.issuer) return false;
    if (chain.some((member) => sameKeyAndName(member, parent))) return false;
    const problem = unusable(parent, this.now) ?? this.#maySign(parent, chain, anchor);
    if (problem === undefined) {
      if (this.#signed(parent, child)) return true;
      this.reasons.push('signature does not fit the issuer');
    } else this.reasons.push(`issuer "${parent.commonName}": ${problem}`);
    return false;
  }

  #maySign(parent: Certificate, chain: Chain, anchor: boolean): string | undefined {
    const { constraints } = parent;
    // An anchor may be of the time before basicConstraints; what a peer sends may not.
    if (constraints ? !constraints.ca : !anchor || parent.version === 3) return 'not a CA';
    if (!parent.maySign) return 'may not sign certificates';
    const { pathLength } = constraints ?? {};
    if (pathLength !== undefined && chain.length - 1 > pathLength) return 'chain too long';
    return isBoundTo(parent, chain) ? undefined : 'name constraints are not met';
  }

  #signed(parent: Certificate, child: Certificate): boolean {
    const pair = `${parent.fingerprint} ${child.fingerprint}`;
    const known = this.#signatures.get(pair);
    if (known !== undefined) return known;
    if (this.#signatures.size >= MAX_SIGNATURE_CHECKS) return false;
    const good = this.#check(parent, child);
    this.#signatures.set(pair, good);
    return good;
  }

  #check(parent: Certificate, child: Certificate): boolean {
    if (!SIGNATURES.has(child.signatureAlgorithm)) return false;
    try {
      return child.x509.verify(parent.x509.publicKey);
    } catch {
      // A key of a kind that is not known here, or one that does not fit the algorithm.
      return false;
    }
  }
}

/**
 * All chains from `presented[0]` to one of the anchors.
 * @param presented what the peer sent, leaf first, the rest in any order
 */
export function verifyChains(
  presented: readonly Certificate[],
  anchors: readonly Certificate[],
  now: number,
): Verified {
  const [leaf, ...intermediates] = presented;
  if (!leaf) return { refused: 'no certificate' };
  if (presented.length > MAX_PRESENTED) return { refused: 'too many certificates' };
  const problem = unusable(leaf, now);
  if (problem !== undefined) return { refused: problem };
  const search = new ChainSearch(intermediates, anchors, now);
  if (anchors.some((anchor) => anchor.fingerprint === leaf.fingerprint)) search.chains.push([leaf]);
  else search.extend([leaf]);
  if (search.chains.length === 0)
    return { refused: ['issued by an unknown CA', ...new Set(search.reasons)].join('; ') };
  const chains = search.chains.filter((chain) => chain.every(permitsClients));
  return chains.length === 0 ? { refused: 'not for client authentication' } : { chains };
}
