/** The one permission decision. It is made before any argument of a call is read. */
import { compileGlob } from '../image/glob.ts';
import type { Identity } from './identity.ts';

export interface Decision {
  readonly allowed: boolean;
  /** The certificate grants this very method: handlers make no ownership check. */
  readonly methodAccess: boolean;
  /** For the audit log. */
  readonly reason: string;
}

interface Callable {
  readonly name: string;
  readonly public: boolean;
  readonly unauthenticatedRead: boolean;
}

const INSECURE: Decision = { allowed: true, methodAccess: true, reason: 'server without TLS' };
const GRANTED: Decision = { allowed: true, methodAccess: true, reason: 'granted by the certificate' };
const PUBLIC: Decision = { allowed: true, methodAccess: false, reason: 'public method' };
const OPEN_READ: Decision = {
  allowed: true,
  methodAccess: false,
  reason: 'unauthenticated reads are allowed',
};
const STRANGER: Decision = { allowed: false, methodAccess: false, reason: 'no client certificate' };
const DENIED: Decision = { allowed: false, methodAccess: false, reason: 'not granted by the certificate' };

interface Powers {
  readonly globs: readonly ((name: string) => boolean)[];
  /** Answers given before; names come from the table of methods, so there are only so many. */
  readonly answers: Map<string, boolean>;
}

/** Connections of one client share its identity. */
const powers = new WeakMap<Identity, Powers>();

function granted(identity: Identity, name: string): boolean {
  let known = powers.get(identity);
  if (!known) {
    known = { globs: (identity.methods as readonly string[]).map(compileGlob), answers: new Map() };
    powers.set(identity, known);
  }
  let answer = known.answers.get(name);
  if (answer === undefined) {
    answer = known.globs.some((matches) => matches(name));
    known.answers.set(name, answer);
  }
  return answer;
}

/** May this caller call this method, and with what standing? In doubt, no. */
export function decide(
  identity: Identity,
  method: Callable,
  config: { readonly allowUnauthenticatedReads: boolean },
): Decision {
  if (identity.methods === 'all') return INSECURE;
  if (identity.authenticated) {
    if (granted(identity, method.name)) return GRANTED;
    if (method.public) return PUBLIC;
  }
  if (config.allowUnauthenticatedReads && method.unauthenticatedRead) return OPEN_READ;
  return identity.authenticated ? DENIED : STRANGER;
}
