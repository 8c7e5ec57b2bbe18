/** Odd certificates: nobody is let in whom the original keeps out. */
import { expect, test } from 'bun:test';
import { ODD } from '../../test/odd-certificates.ts';
import { Authorizer } from './authorize.ts';
import { parseCertificate } from './certificate.ts';
import { decide } from './decision.ts';
import { DerError } from './der.ts';

const CHECK_OBJECTS = { name: 'ObjectServer.CheckObjects', public: false, unauthenticatedRead: false };

function readable(raw: Uint8Array) {
  try {
    return [parseCertificate(raw)];
  } catch (error) {
    if (error instanceof DerError) return [];
    throw error;
  }
}
const full = ODD.full.flatMap(({ raw }) => readable(raw));
const identity = ODD.identity.flatMap(({ raw }) => readable(raw));
const alone = new Authorizer({ full, identity: undefined });
const beside = new Authorizer({ full, identity });

test.each(ODD.cases.map((one) => [one.name, one] as const))('%s', (_name, one) => {
  const { chain, withIdentityCa, original, ours } = one;
  if (ours?.inHandshake) return;
  const verdict = (withIdentityCa ? beside : alone).examine(
    chain.map(({ raw }) => raw),
    true,
    Date.now(),
  );
  const expected = ours ?? original;
  expect('identity' in verdict ? 'accepted' : verdict.refused).toEqual(
    expected.accepted ? 'accepted' : expect.not.stringMatching(/^accepted$/),
  );
  if ('identity' in verdict)
    expect(decide(verdict.identity, CHECK_OBJECTS, { allowUnauthenticatedReads: false }).allowed).toBe(
      expected.methods === true,
    );
  // Differences are only allowed towards no.
  if (ours) expect(Number(ours.accepted)).toBeLessThanOrEqual(Number(original.accepted));
  if (ours) expect(Number(ours.methods === true)).toBeLessThanOrEqual(Number(original.methods === true));
});
