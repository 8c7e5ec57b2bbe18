import { describe, expect, test } from 'bun:test';
import { Authorizer } from './authorize.ts';
import { inDays, type Made, make, makeAuthority, makeClient } from './certificates-fixture.ts';
import type { Trust } from './identify.ts';

const root = await makeAuthority('Root');
const identityRoot = await makeAuthority('Identity root');
const stranger = await makeAuthority('Root');
const sub = await makeAuthority('Sub', root, { methods: ['Sub.Method'] });
const METHODS = ['ImageServer.*'];
const trust: Trust = { full: [root.certificate], identity: undefined };
const both: Trust = { full: [root.certificate], identity: [identityRoot.certificate] };

function examine(presented: readonly Made[], { full, identity }: Trust = trust, now = Date.now()) {
  return new Authorizer({ full, identity }).examine(
    presented.map(({ certificate }) => certificate.raw),
    true,
    now,
  );
}

function identityOf(presented: readonly Made[], within: Trust = trust) {
  const verdict = examine(presented, within);
  if ('refused' in verdict) throw new Error(verdict.refused);
  return verdict.identity;
}

function refusal(...args: Parameters<typeof examine>): string {
  const verdict = examine(...args);
  if (!('refused' in verdict)) throw new Error('accepted');
  return verdict.refused;
}

describe('accepted', () => {
  const usages = [['client'], ['any'], ['server', 'client'], ['server', 'any'], []] as const;
  test.each(usages.map((list) => [list.join() || 'none', list] as const))(
    'key usage %s',
    async (_name, list) => {
      const leaf = await makeClient('alice', root, { usages: list, methods: METHODS, groups: ['a', 'ü'] });
      const identity = identityOf([leaf]);
      expect(identity).toMatchObject({ user: 'alice', methods: METHODS, authenticated: true });
      expect([...identity.groups]).toEqual(['a', 'ü']);
      expect(identity.certificate?.serial).toBe(leaf.certificate.serial);
    },
  );

  test.each(['ecdsa', 'rsa', 'ed25519'] as const)('%s keys of CA and client', async (key) => {
    const ca = await makeAuthority('CA', undefined, { key });
    const leaf = await makeClient('bob', ca, { key });
    expect(identityOf([leaf], { full: [ca.certificate], identity: undefined }).user).toBe('bob');
  });

  test('an intermediate of the peer, among others and in any order', async () => {
    const leaf = await makeClient('ivan', sub, { methods: METHODS });
    const identity = identityOf([leaf, identityRoot, root, sub]);
    expect(identity).toMatchObject({ user: 'ivan', methods: ['ImageServer.*', 'Sub.Method'] });
  });

  test('an intermediate in the CA file, without its issuer', async () => {
    const leaf = await makeClient('ivan', sub);
    expect(identityOf([leaf], { full: [sub.certificate], identity: undefined }).methods).toEqual([
      'Sub.Method',
    ]);
  });

  test('two intermediates', async () => {
    const subsub = await makeAuthority('Subsub', sub);
    expect(identityOf([await makeClient('deep', subsub), sub, subsub]).user).toBe('deep');
  });

  test('a CA renewed with the same key: both chains count', async () => {
    const leaf = await makeClient('alice', root);
    const other = await makeAuthority('Root', undefined, { methods: ['Other.Method'] });
    expect(
      identityOf([leaf], { full: [other.certificate, root.certificate], identity: undefined }).methods,
    ).toEqual([]);
  });

  test('the certificate itself in the CA file', async () => {
    const own = await make({ commonName: 'self', methods: METHODS });
    expect(identityOf([own], { full: [own.certificate], identity: undefined })).toMatchObject({
      user: 'self',
    });
  });

  test('name of the issuer where the leaf has none', async () => {
    expect(identityOf([await makeClient('', root)]).user).toBe('Root');
  });
});

describe('identity CA', () => {
  test('name and groups count, methods do not', async () => {
    const leaf = await makeClient('erin', identityRoot, { methods: METHODS, groups: ['games'] });
    const identity = identityOf([leaf], both);
    expect(identity).toMatchObject({ user: 'erin', methods: [] });
    expect([...identity.groups]).toEqual(['games']);
  });

  test('methods of an intermediate not in the file do not count', async () => {
    const leaf = await makeClient('ivan', sub, { methods: METHODS });
    expect(identityOf([leaf, sub], both).methods).toEqual([]);
    expect(identityOf([leaf, sub]).methods).toEqual(['ImageServer.*', 'Sub.Method']);
  });

  test('an identity CA cannot lend powers by taking the name of the full-auth CA', async () => {
    const fake = await makeAuthority('Root', identityRoot, { methods: ['*.*'] });
    const leaf = await makeClient('eve', fake, { methods: ['*.*'] });
    expect(identityOf([leaf, fake], both).methods).toEqual([]);
  });
});

describe('refused', () => {
  const leaf = (spec = {}) => makeClient('alice', root, spec);
  test('expired', async () => {
    expect(refusal([await leaf({ notBefore: inDays(-9), notAfter: inDays(-3) })])).toStartWith('expired at ');
  });
  test('not yet valid', async () => {
    expect(refusal([await leaf({ notBefore: inDays(2) })])).toStartWith('not valid before ');
  });
  test('expired CA', async () => {
    const verdict = refusal([await leaf()], trust, inDays(400).getTime());
    expect(verdict).toStartWith('expired at');
    const old = await makeAuthority('Old', undefined, { notBefore: inDays(-20), notAfter: inDays(-10) });
    expect(refusal([await makeClient('x', old)], { full: [old.certificate], identity: undefined })).toContain(
      'issuer "Old": expired at',
    );
  });
  test('expired intermediate', async () => {
    const old = await makeAuthority('Old', root, { notBefore: inDays(-20), notAfter: inDays(-10) });
    expect(refusal([await makeClient('x', old), old])).toContain('issuer "Old": expired at');
  });
  test('unknown CA', async () => {
    expect(refusal([await makeClient('mallory', identityRoot)])).toBe('issued by an unknown CA');
  });
  test('a CA of the same name with another key', async () => {
    const verdict = refusal([await makeClient('mallory', stranger), stranger]);
    expect(verdict).toBe('issued by an unknown CA; signature does not fit the issuer');
  });
  test('an intermediate that was not sent', async () => {
    expect(refusal([await makeClient('ivan', sub)])).toBe('issued by an unknown CA');
  });
  test('only for servers', async () => {
    expect(refusal([await leaf({ usages: ['server'] })])).toBe('not for client authentication');
  });
  test('issued by a CA that may only issue for servers', async () => {
    const web = await makeAuthority('Web', root, { usages: ['server'] });
    expect(refusal([await makeClient('x', web), web])).toBe('not for client authentication');
  });
  test('issued by somebody who is no CA', async () => {
    const alice = await leaf();
    expect(refusal([await makeClient('eve', alice), alice])).toContain('issuer "alice": not a CA');
  });
  test('issued by a CA that may not sign certificates', async () => {
    const mute = await makeAuthority('Mute', root, { maySign: false });
    expect(refusal([await makeClient('x', mute), mute])).toContain(
      'issuer "Mute": may not sign certificates',
    );
  });
  test.each(['2.5.29.19', '1.2.3.4', '1.3.6.1.4.1.9586.100.7.2'])('extension %s twice', async (oid) => {
    const one = { oid, critical: false, value: Uint8Array.of(0x30, 0) };
    await expect(leaf({ extensions: [one, one] })).rejects.toThrow(`extension ${oid} twice`);
  });
  test('chain longer than its CA permits', async () => {
    const short = await makeAuthority('Short', root, { ca: { pathLength: 0 } });
    const below = await makeAuthority('Below', short);
    expect(identityOf([await makeClient('x', short), short]).user).toBe('x');
    expect(refusal([await makeClient('x', below), below, short])).toContain('issuer "Short": chain too long');
  });
  test('unknown critical extension', async () => {
    const extensions = [{ oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }];
    expect(refusal([await leaf({ extensions })])).toBe('unknown critical extension 1.2.3.4');
  });
  test('name constraints', async () => {
    // permittedSubtrees { dNSName "example.org" }
    const value = Buffer.from('3011a00f300d820b6578616d706c652e6f7267', 'hex');
    const bound = await makeAuthority('Bound', root, {
      extensions: [{ oid: '2.5.29.30', critical: true, value: value }],
    });
    const host = (name: string) => makeClient('x', bound, { hosts: [name] });
    expect(refusal([await host('a.example.com'), bound])).toContain('name constraints are not met');
    expect(identityOf([await host('a.example.org'), bound]).user).toBe('x');
    expect(identityOf([await makeClient('x', bound), bound]).user).toBe('x');
  });
  test.each([
    ['no dot', ['ImageServer']],
    ['two dots', ['Image.Server.Foo']],
    ['empty', ['']],
  ])('method entry with %s', async (_name, list) => {
    expect(refusal([await leaf({ methods: list })])).toContain('malformed method list');
  });
  test('bytes after a list', async () => {
    const extensions = [
      { oid: '1.3.6.1.4.1.9586.100.7.2', critical: false, value: Uint8Array.of(0x30, 0, 0) },
    ];
    expect(refusal([await leaf({ extensions })])).toContain('malformed group list');
  });
  test('too many certificates', async () => {
    expect(refusal([await leaf(), ...Array<Made>(32).fill(sub)])).toBe('too many certificates');
  });
  test('no certificate, where one is required', () => {
    expect(refusal([])).toBe('no client certificate');
    expect(new Authorizer(trust).examine([], false, 0)).toMatchObject({
      identity: { authenticated: false, methods: [] },
    });
  });
});

test('a remembered client is looked at anew when a certificate expires', async () => {
  const authorizer = new Authorizer(trust);
  const raw = [(await makeClient('x', root)).certificate.raw];
  const first = authorizer.examine(raw, true, Date.now());
  expect(authorizer.examine(raw, true, Date.now())).toEqual(first);
  expect(authorizer.examine(raw, true, inDays(31).getTime())).toHaveProperty('refused');
});

test('work for many certificates of one name is bounded', async () => {
  const many = await Promise.all(Array.from({ length: 31 }, () => makeAuthority('Loop', root)));
  const leaf = await makeClient('x', await makeAuthority('Loop'));
  const before = performance.now();
  expect(refusal([leaf, ...many])).toContain('unknown CA');
  expect(performance.now() - before).toBeLessThan(1000);
});
