/** The recorded decisions of the original: every client certificate, every method, with and without identity CA. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { describeWithVectors, haveVectors, vectorsPath } from '../../test/vectors.ts';
import { methods } from '../methods/table.ts';
import { Authorizer } from './authorize.ts';
import { parsePem } from './certificate.ts';
import { decide } from './decision.ts';
import { GROUPS_OID, groupsOf, METHODS_OID, methodsOf } from './extensions.ts';

interface Lists {
  readonly granted: readonly string[];
  readonly denied: readonly string[];
}
type Outcome = Lists | 'dropped-after-handshake' | 'certificate-rejected';
interface Described {
  readonly Name: string;
  readonly File: string;
  readonly CN: string;
  readonly Methods: readonly string[] | null;
  readonly Groups: readonly string[] | null;
  readonly MethodsExtHex: string;
  readonly GroupsExtHex: string;
  readonly NotBefore: string;
  readonly NotAfter: string;
}

const text = (...parts: string[]) => readFileSync(vectorsPath('certs', ...parts), 'utf8');
const pem = (...parts: string[]) => parsePem(text(...parts));
const now = Date.now();

describeWithVectors('recorded permissions', () => {
  if (!haveVectors) return;
  const { results } = JSON.parse(text('authz.json')) as {
    results: Record<string, Record<string, Outcome>>;
  };
  for (const [configuration, clients] of Object.entries(results)) {
    describe(configuration, () => {
      const authorizer = new Authorizer({
        full: pem('CA.pem'),
        identity: configuration === 'withIdentityCA' ? pem('IdentityCA.pem') : undefined,
      });
      test.each(Object.entries(clients))('%s', (name, outcome) => {
        const presented = pem('clients', name, `${name}.cert`).map(({ raw }) => raw);
        const verdict = authorizer.examine(presented, true, now);
        if (typeof outcome === 'string') {
          expect(verdict).toHaveProperty('refused');
          if (!('refused' in verdict)) throw new Error('accepted');
          expect(verdict.refused.startsWith('malformed method list')).toBe(
            outcome === 'dropped-after-handshake',
          );
          return;
        }
        if ('refused' in verdict) throw new Error(verdict.refused);
        const allowed = (method: string) =>
          decide(
            verdict.identity,
            methods.get(method) ?? { name: method, public: false, unauthenticatedRead: false },
            { allowUnauthenticatedReads: false },
          ).allowed;
        expect(outcome.granted.filter((method) => !allowed(method))).toEqual([]);
        expect(outcome.denied.filter(allowed)).toEqual([]);
      });
    });
  }
});

describeWithVectors('contents of the certificates', () => {
  if (!haveVectors) return;
  const described = JSON.parse(text('index.json')) as Described[];
  test.each(described.map((one) => [one.Name, one] as const))('%s', (_name, one) => {
    const [certificate] = pem(one.File);
    if (!certificate) throw new Error('no certificate');
    expect(certificate.commonName).toBe(one.CN);
    expect(certificate.notBefore).toBe(Date.parse(one.NotBefore));
    expect(certificate.notAfter).toBe(Date.parse(one.NotAfter));
    const extension = (oid: string) =>
      Buffer.from(certificate.extensions.find((each) => each.oid === oid)?.value ?? []).toString('hex');
    expect(extension(METHODS_OID)).toBe(one.MethodsExtHex);
    expect(extension(GROUPS_OID)).toBe(one.GroupsExtHex);
    expect(groupsOf(certificate)).toEqual([...(one.Groups ?? [])]);
    const wellFormed = (one.Methods ?? []).every((entry) => entry.split('.').length === 2);
    if (wellFormed) expect(methodsOf(certificate)).toEqual([...(one.Methods ?? [])]);
    else expect(() => methodsOf(certificate)).toThrow('bad entry');
  });
});
