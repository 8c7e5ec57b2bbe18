import { expect, test } from 'bun:test';
import { decide } from './decision.ts';
import { type Identity, INSECURE, STRANGER } from './identity.ts';

const caller = (...methods: string[]): Identity => ({
  user: 'u',
  groups: new Set(),
  methods,
  authenticated: true,
});
const open = { name: 'ImageServer.GetImage', public: true, unauthenticatedRead: true };
const mutating = { name: 'ImageServer.DeleteImage', public: true, unauthenticatedRead: false };
const closed = { name: 'ObjectServer.AddObjects', public: false, unauthenticatedRead: false };
const read = { name: 'ObjectServer.GetObjects', public: false, unauthenticatedRead: true };
const granted = { allowed: true, methodAccess: true };
const allowed = { allowed: true, methodAccess: false };
const denied = { allowed: false, methodAccess: false };

test.each([
  ['a server without TLS', INSECURE, closed, false, granted],
  ['the very method', caller('ObjectServer.AddObjects'), closed, false, granted],
  ['a glob', caller('X.Y', 'ObjectServer.*'), closed, false, granted],
  ['a glob for a public method', caller('ImageServer.*'), mutating, false, granted],
  ['a public method', caller('ObjectServer.*'), mutating, false, allowed],
  ['not granted', caller('ImageServer.*'), closed, false, denied],
  ['no methods at all', caller(), closed, false, denied],
  ['a malformed glob', caller('ObjectServer.['), closed, false, denied],
  ['case matters', caller('objectserver.*'), closed, false, denied],
  ['no prefix', caller('ObjectServer.Add'), closed, false, denied],
  ['a stranger, public', STRANGER, open, false, denied],
  ['a stranger, reads open', STRANGER, open, true, allowed],
  ['a stranger, reads open, objects', STRANGER, read, true, allowed],
  ['a stranger, reads open, mutating', STRANGER, mutating, true, denied],
  ['a stranger, reads open, closed', STRANGER, closed, true, denied],
  ['somebody, reads open', caller(), read, true, allowed],
  ['somebody who only claims', { ...caller('*.*'), authenticated: false }, closed, false, denied],
] as const)('%s', (_name, identity, method, allowUnauthenticatedReads, expected) => {
  for (let time = 0; time < 2; time++)
    expect(decide(identity, method, { allowUnauthenticatedReads })).toMatchObject(expected);
});

test('a decision that was made before costs next to nothing', () => {
  const identity = caller(...Array.from({ length: 50 }, (_, index) => `Service${index}.*`), 'ImageServer.*');
  const config = { allowUnauthenticatedReads: false };
  decide(identity, mutating, config);
  const start = performance.now();
  for (let time = 0; time < 100_000; time++) decide(identity, mutating, config);
  expect((performance.now() - start) / 100_000).toBeLessThan(0.01);
});
