/** Who calls, and what the certificate allows (spec: srpc.md 7). */

export interface Identity {
  /** Empty on plain connections and for unnamed certificates. */
  readonly user: string;
  readonly groups: ReadonlySet<string>;
  /** `Service.Method` globs from the certificates, or 'all' on a plain connection of a server without TLS. */
  readonly methods: readonly string[] | 'all';
  /** Hex serial and SHA-256 fingerprint of the leaf, for the audit log. */
  readonly certificate?: { readonly serial: string; readonly fingerprint: string };
  /** False for callers that never proved anything (plain HTTP of a secure server). */
  readonly authenticated: boolean;
}

/** Everybody on a server that runs without TLS: may do everything, has no name. */
export const INSECURE: Identity = Object.freeze({
  user: '',
  groups: new Set<string>(),
  methods: 'all',
  authenticated: false,
});
/** A stranger on a secure server: may call nothing but what needs no identity. */
export const STRANGER: Identity = Object.freeze({
  user: '',
  groups: new Set<string>(),
  methods: [],
  authenticated: false,
});
