/** Certificates made on the fly for tests. */
import { type Certificate, parsePem } from './certificate.ts';
import { type CertificateSpec, issueCertificate } from './issue.ts';
import type { KeyPair } from './tls-files.ts';

const DAY = 86_400_000;

export interface Made extends KeyPair {
  readonly certificate: Certificate;
}

/** Days from now. */
export const inDays = (days: number) => new Date(Date.now() + days * DAY);

/** A certificate valid from yesterday until in 30 days unless told otherwise. */
export async function make(
  spec: Partial<CertificateSpec> & { readonly commonName: string },
  issuer?: KeyPair,
): Promise<Made> {
  const pair = await issueCertificate({ notBefore: inDays(-1), notAfter: inDays(30), ...spec }, issuer);
  return { ...pair, certificate: parsePem(pair.cert)[0] as Certificate };
}

export const makeAuthority = (commonName: string, issuer?: KeyPair, spec: Partial<CertificateSpec> = {}) =>
  make({ commonName, ca: {}, notAfter: inDays(300), ...spec }, issuer);

export const makeClient = (commonName: string, issuer: KeyPair, spec: Partial<CertificateSpec> = {}) =>
  make({ commonName, usages: ['client'], ...spec }, issuer);
