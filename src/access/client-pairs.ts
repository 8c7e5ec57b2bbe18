/** The certificates that a client has to show: NAME.cert and NAME.key in a directory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { formatSpan } from '../image/format.ts';
import type { Certificate } from './certificate.ts';
import { DerError } from './der.ts';
import { methodsOf } from './extensions.ts';
import { fileProblem, type KeyPair, readKeyPair } from './tls-files.ts';

/** A pair that may be used now. */
export interface ClientPair extends KeyPair {
  /** Without `.cert`. */
  readonly name: string;
  /** Common name of the certificate. */
  readonly user: string;
  /** How many method globs it carries. */
  readonly methods: number;
}

/** In the directory of the pairs: the CA that issued the certificate of our servers, put there with the pair. */
export const SERVER_CA_NAME = 'serverCA.pem';

function failed(text: string, cause?: unknown): ImageServerError {
  return new ImageServerError('UNAUTHENTICATED', text, { cause });
}

const span = (ms: number) => formatSpan(BigInt(Math.round(ms)) * 1_000_000n);

function methodCount(certificate: Certificate): number {
  try {
    return methodsOf(certificate).length;
  } catch (error) {
    // The server will say what it thinks of it.
    if (error instanceof DerError) return 0;
    throw error;
  }
}

function loadPair(directory: string, name: string, now: number): ClientPair {
  let pair: ReturnType<typeof readKeyPair>;
  try {
    pair = readKeyPair(join(directory, `${name}.cert`), join(directory, `${name}.key`));
  } catch (error) {
    throw failed(`unable to load keypair: ${(error as Error).message}`, error);
  }
  const { cert, key, chain } = pair;
  const leaf = chain[0] as Certificate;
  if (now < leaf.notBefore) throw failed(`${name}.cert will not be valid for ${span(leaf.notBefore - now)}`);
  if (now > leaf.notAfter) throw failed(`${name}.cert expired ${span(now - leaf.notAfter)} ago`);
  return { name, cert, key, user: leaf.commonName, methods: methodCount(leaf) };
}

/**
 * All pairs of a directory, those with more permitted methods first. One that cannot be used is an error, in the words of
 * the original's tools: nobody should wonder why a certificate that is there is not shown.
 * Throws UNAUTHENTICATED.
 */
export function loadClientPairs(directory: string, now: number = Date.now()): ClientPair[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw failed(fileProblem(error, directory), error);
  }
  return names
    .filter((name) => name.endsWith('.key'))
    .sort()
    .map((name) => loadPair(directory, name.slice(0, -'.key'.length), now))
    .sort((a, b) => b.methods - a.methods);
}

/**
 * PEM of the CA to verify servers with: that of `file`, else the one that lies in the directory of the pairs; undefined:
 * there is none, or `file` is "none": servers are not verified. Throws UNAUTHENTICATED if the file cannot be read.
 */
export function loadServerCa(file: string, directory: string): string | undefined {
  if (file === 'none') return undefined;
  const beside = directory === '' ? '' : join(directory, SERVER_CA_NAME);
  const path = file !== '' ? file : existsSync(beside) ? beside : undefined;
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    throw failed(`unable to load CA file: "${path}": ${fileProblem(error, path)}`, error);
  }
  throw failed(`unable to parse CA file: "${path}": no certificates in it`);
}
