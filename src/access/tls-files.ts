/** Reading and checking the four files of a TLS server: certificate, key, CA, identity CA. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ImageServerError } from '../errors.ts';
import { type Certificate, parseCertificate, parsePem, pemBlocks } from './certificate.ts';
import { DerError } from './der.ts';
import type { Trust } from './identify.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** Empty or absent on disk: no identity CA. */
  readonly identityCaFile: string;
}

/** PEM texts of a certificate (with its chain) and its key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface LoadedTls {
  readonly context: SecureContext;
  readonly pair: KeyPair;
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  readonly trust: Trust;
}

const SYSTEM_TEXTS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
};

/** What went wrong with a file, in the words of the original's programs. */
export function fileProblem(error: unknown, path: string): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const text = SYSTEM_TEXTS[code];
  return text ? `${code === 'EISDIR' ? 'read' : 'open'} ${path}: ${text}` : message;
}

function failed(text: string, cause: unknown): ImageServerError {
  return new ImageServerError('UNAVAILABLE', text, { cause });
}

/** Reads a certificate and its key; throws an error whose message says, as the original does, what is wrong. */
export function readKeyPair(certFile: string, keyFile: string): KeyPair & { chain: readonly Certificate[] } {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new Error(fileProblem(error, path), { cause: error });
    }
  };
  const cert = read(certFile);
  const chain = parsePem(cert);
  const [leaf] = chain;
  if (!leaf) throw new Error('tls: failed to find any PEM data in certificate input');
  const key = read(keyFile);
  if (!key.includes('-----BEGIN ')) throw new Error('tls: failed to find any PEM data in key input');
  if (!leaf.x509.checkPrivateKey(createPrivateKey(key)))
    throw new Error('tls: private key does not match public key');
  return { cert, key, chain };
}

/**
 * The certificates of a CA file. One that cannot be read is left out, as the original does, so that it does not lock out
 * the clients of all others; `skipped` is told.
 */
function readAuthorities(path: string, skipped: (line: string) => void): Certificate[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw failed(`unable to load CA file: "${path}": ${fileProblem(error, path)}`, error);
  }
  const list: Certificate[] = [];
  for (const [index, raw] of pemBlocks(text).entries()) {
    try {
      list.push(parseCertificate(raw));
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      skipped(`certificate ${index + 1} of CA file "${path}" is left out: ${error.message}`);
    }
  }
  if (list.length > 0) return list;
  throw failed(`unable to parse CA file: "${path}": no certificates in it`, undefined);
}

function readIdentityAuthorities(path: string, skipped: (line: string) => void): Certificate[] | undefined {
  if (path === '') return undefined;
  try {
    return readAuthorities(path, skipped);
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Reads everything anew; `skipped` is told of certificates in CA files that cannot be used. Throws UNAVAILABLE with the
 * original's text for the first thing that is wrong.
 */
export function loadTls(files: TlsFiles, skipped: (line: string) => void = () => undefined): LoadedTls {
  let loaded: ReturnType<typeof readKeyPair>;
  try {
    loaded = readKeyPair(files.certFile, files.keyFile);
  } catch (error) {
    throw failed(`unable to load keypair: ${(error as Error).message}`, error);
  }
  const { cert, key, chain } = loaded;
  const trust: Trust = {
    full: readAuthorities(files.caFile, skipped),
    identity: readIdentityAuthorities(files.identityCaFile, skipped),
  };
  const authorities = [...trust.full, ...(trust.identity ?? [])].map(({ x509 }) => x509.toString());
  try {
    // Trusted authorities only name themselves to clients here; who is let in is decided by verify.ts.
    const context = createSecureContext({ cert, key, ca: authorities, minVersion: 'TLSv1.2' });
    return { context, pair: { cert, key }, chain, trust };
  } catch (error) {
    throw failed(`unable to load keypair: ${(error as Error).message}`, error);
  }
}
