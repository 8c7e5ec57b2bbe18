/** Who the peer of a TLS connection is: from what it presented in the handshake to an identity or a refusal. */
import type { PeerCertificate } from 'node:tls';
import { type Certificate, parseCertificate } from './certificate.ts';
import { DerError } from './der.ts';
import { anchorsOf, identify, type Trust } from './identify.ts';
import { type Identity, STRANGER } from './identity.ts';
import { sessionCertificates } from './session-certificates.ts';
import { verifyChains } from './verify.ts';

/** Who the peer is, or why it is sent away; `who` names it for the log as far as it is known. */
export type Authorization =
  | { readonly identity: Identity }
  | { readonly refused: string; readonly who: string };

/** The connection of a peer with which hands were shaken. */
export interface TlsPeer {
  /** The leaf, from which the chain can be followed. */
  getPeerCertificate(): PeerCertificate | undefined;
  getSession(): Uint8Array | undefined;
}

/** Clients remembered, so that one that connects often is verified once and its globs are compiled once. */
const MAX_REMEMBERED = 1024;
/** More than any sane chain. */
const MAX_CHAIN = 33;

interface Remembered {
  readonly identity: Identity;
  /** When one of the certificates looked at begins or ceases to be valid: all is looked at anew then. */
  readonly until: number;
}

/** The raw certificates a peer presented, leaf first. */
function presentedBy(peer: TlsPeer): Buffer[] {
  const list: Buffer[] = [];
  let next = peer.getPeerCertificate();
  while (next?.raw && list.length < MAX_CHAIN) {
    list.push(next.raw);
    const { issuerCertificate } = next as { issuerCertificate?: PeerCertificate };
    next = issuerCertificate === next ? undefined : issuerCertificate;
  }
  return list;
}

function keyOf(presented: readonly Uint8Array[]): string {
  const hasher = new Bun.CryptoHasher('sha256');
  for (const raw of presented) hasher.update(`${raw.length}:`).update(raw);
  return hasher.digest('base64');
}

/** What the leaf calls itself, for the log; it proves nothing. */
function nameOf(leaf: Certificate): string {
  return `${JSON.stringify(leaf.commonName)} serial ${leaf.serial} fingerprint ${leaf.fingerprint}`;
}

function nextChange(certificates: readonly Certificate[], now: number): number {
  const times = certificates.flatMap(({ notBefore, notAfter }) => [notBefore, notAfter + 1]);
  return Math.min(...times.filter((time) => time > now));
}

/** Decides on peers with one set of CA files; a new one is made when they change. */
export class Authorizer {
  readonly #remembered = new Map<string, Remembered>();
  readonly #anchors: readonly Certificate[];

  constructor(readonly trust: Trust) {
    this.#anchors = anchorsOf(trust);
  }

  authorize(peer: TlsPeer, required: boolean, now = Date.now()): Authorization {
    const session = sessionCertificates(peer.getSession() ?? new Uint8Array(0));
    const key = keyOf(session);
    const known = this.#known(key, now);
    if (known) return { identity: known };
    const presented = presentedBy(peer);
    // The runtime adds a CA of ours to the intermediates that it is shown.
    const same = session.length > 0 && session.every((raw, index) => presented[index]?.equals(raw));
    return this.examine(presented, required, now, same ? key : undefined);
  }

  /** Whoever showed just these certificates before, while nothing about them changes. */
  #known(key: string, now: number): Identity | undefined {
    const known = this.#remembered.get(key);
    return known && now < known.until ? known.identity : undefined;
  }

  /** As `authorize`, on raw certificates, leaf first; `key` is what the outcome is remembered by. */
  examine(
    presented: readonly Uint8Array[],
    required: boolean,
    now: number,
    key = keyOf(presented),
  ): Authorization {
    if (presented.length === 0)
      return required ? { refused: 'no client certificate', who: 'nobody' } : { identity: STRANGER };
    const known = this.#known(key, now);
    if (known) return { identity: known };
    let certificates: Certificate[] = [];
    try {
      certificates = presented.map(parseCertificate);
      const verified = verifyChains(certificates, this.#anchors, now);
      if ('refused' in verified)
        return { refused: verified.refused, who: nameOf(certificates[0] as Certificate) };
      const identity = identify(verified.chains, this.trust);
      this.#remember(key, { identity, until: nextChange([...certificates, ...this.#anchors], now) });
      return { identity };
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      const [leaf] = certificates;
      return { refused: error.message, who: leaf ? nameOf(leaf) : 'unreadable certificate' };
    }
  }

  #remember(key: string, entry: Remembered): void {
    this.#remembered.delete(key);
    if (this.#remembered.size >= MAX_REMEMBERED)
      this.#remembered.delete(this.#remembered.keys().next().value as string);
    this.#remembered.set(key, entry);
  }
}
