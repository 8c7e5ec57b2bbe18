/**
 * The certificates of a peer as they stand in the runtime's record of the TLS session (BoringSSL's SSL_SESSION, DER). To
 * be asked for them in the documented way costs ten times as much, more than all else that a known client's connection
 * needs. Only good for recognising what was looked at before: see authorize.ts.
 */
import { DerError, DerReader, only, TAG } from './der.ts';

const CONTEXT = { LEAF: 0xa3, REST: 0xb3 } as const;

/** Raw certificates, leaf first. Empty if there are none, or if this is not the record that it should be. */
export function sessionCertificates(session: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  try {
    const fields = only(session, TAG.SEQUENCE);
    while (!fields.done) {
      const { tag, content } = fields.next();
      if (tag === CONTEXT.LEAF) {
        const leaf = new DerReader(content);
        list.push(leaf.expect(TAG.SEQUENCE).raw);
        leaf.finish();
      } else if (tag === CONTEXT.REST) {
        if (list.length !== 1) return [];
        const rest = new DerReader(content);
        while (!rest.done) list.push(rest.expect(TAG.SEQUENCE).raw);
      }
    }
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return [];
  }
  return list;
}
