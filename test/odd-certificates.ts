/**
 * Odd certificates, each with what the original was seen to do with it. Made anew for each run: nothing of them expires.
 * All roots stand in one CA file, those of `identity` in the identity CA file.
 */
import { GROUPS_OID, METHODS_OID } from '../src/access/extensions.ts';
import {
  addressName,
  der,
  directoryName,
  dnsName,
  type Extension,
  ecKeys,
  edKeys,
  emailName,
  nameOf,
  organization,
  type Recipe,
  rawName,
  rsaKeys,
  text,
  time,
  uriName,
  type Written,
  write,
  extension as x,
} from './certificate-writer.ts';

/** What a client that shows the certificate may do. */
export interface Verdict {
  /** It is let in. */
  readonly accepted: boolean;
  /** It may call ObjectServer.CheckObjects, which its method list says. */
  readonly methods?: boolean;
}
export interface OddCase {
  readonly name: string;
  /** Leaf first. */
  readonly chain: readonly Written[];
  /** The server has an identity CA file, too. */
  readonly withIdentityCa: boolean;
  /** Of the original. */
  readonly original: Verdict;
  /** Ours, where we are stricter, and why. */
  readonly ours?: Verdict & {
    readonly because: string;
    /** It is the TLS library that refuses. */
    readonly inHandshake?: boolean;
  };
}

const printable = (value: string) => text(0x13, value);
const utf8 = (value: string) => text(0x0c, value);
const METHOD = 'ObjectServer.CheckObjects';
const CLIENT = '1.3.6.1.5.5.7.3.2';
const SERVER = '1.3.6.1.5.5.7.3.1';
const ANY = '2.5.29.37.0';
const CA: readonly Extension[] = [x.constraints(true), x.keyUsage(0x06)];
const methods = (...list: string[]) => x.strings(METHODS_OID, ...list.map(utf8));
const groups = (...list: string[]) => x.strings(GROUPS_OID, ...list.map(printable));
const GRANT = methods(METHOD);

const full: Written[] = [];
const identity: Written[] = [];
const cases: OddCase[] = [];

function anchor(subject: string | Uint8Array, recipe: Partial<Recipe> = {}, list = full): Written {
  const made = write({
    subject,
    keys: recipe.keys ?? ecKeys(),
    extensions: CA,
    notAfter: time(300),
    ...recipe,
  });
  list.push(made);
  return made;
}
const root = anchor('Root');

function sub(subject: string | Uint8Array, issuer: Written, recipe: Partial<Recipe> = {}): Written {
  return write({ subject, issuer, keys: recipe.keys ?? ecKeys(), extensions: CA, ...recipe });
}
function leaf(recipe: Partial<Recipe> = {}, issuer: Written = root): Written {
  return write({ subject: 'alice', issuer, keys: ecKeys(), extensions: [GRANT], ...recipe });
}
/** A leaf with these extensions and a method list. */
const withExtensions = (...extensions: Extension[]) => leaf({ extensions: [...extensions, GRANT] });

const ACCEPTED: Verdict = { accepted: true, methods: true };
const NAMED_ONLY: Verdict = { accepted: true, methods: false };
const REFUSED: Verdict = { accepted: false };
let withIdentityCa = false;
function add(name: string, chain: readonly Written[], original: Verdict, ours?: OddCase['ours']): void {
  cases.push({ name, chain, withIdentityCa, original, ...(ours ? { ours } : {}) });
}
const stricter = (because: string): OddCase['ours'] => ({ accepted: false, because });

const MUTE: OddCase['ours'] = {
  accepted: false,
  because: 'the TLS library looks at the key usage',
  inHandshake: true,
};

// Keys and signatures.
add('ordinary', [leaf()], ACCEPTED);
add('P-384', [leaf({ keys: ecKeys('P-384') })], ACCEPTED);
add('P-521', [leaf({ keys: ecKeys('P-521') })], ACCEPTED);
add('Ed25519', [leaf({ keys: edKeys() })], ACCEPTED);
add('RSA', [leaf({ keys: rsaKeys() })], ACCEPTED);
add('RSA of 1024 bits', [leaf({ keys: rsaKeys(1024) })], ACCEPTED);
const rsaRoot = anchor('RSA root', { keys: rsaKeys() });
add('signed RSA SHA-256', [leaf({}, rsaRoot)], ACCEPTED);
add('signed RSA-PSS', [leaf({ algorithm: 'rsa-pss' }, rsaRoot)], ACCEPTED);
add('signed RSA SHA-1', [leaf({ algorithm: 'rsa-sha1' }, rsaRoot)], REFUSED);
add('signed RSA MD5', [leaf({ algorithm: 'rsa-md5' }, rsaRoot)], REFUSED);
add('signed ECDSA SHA-1', [leaf({ algorithm: 'ecdsa-sha1' })], REFUSED);
add('signed ECDSA SHA-224', [leaf({ algorithm: 'ecdsa-sha224' })], REFUSED);
add('signed ECDSA SHA-512', [leaf({ algorithm: 'ecdsa-sha512' })], ACCEPTED);
const edRoot = anchor('Ed25519 root', { keys: edKeys() });
add('signed Ed25519', [leaf({}, edRoot)], ACCEPTED);
const oldRoot = anchor('SHA-1 root', { keys: rsaKeys(), algorithm: 'rsa-sha1' });
add('root signed itself with SHA-1', [leaf({}, oldRoot)], ACCEPTED);
const oldSub = sub('SHA-1 sub', rsaRoot, { algorithm: 'rsa-sha1' });
add('intermediate signed with SHA-1', [leaf({}, oldSub), oldSub], REFUSED);
add(
  'signature spoilt',
  [
    leaf({
      spoil: (signature) =>
        Buffer.concat([signature.subarray(0, -1), Uint8Array.of((signature.at(-1) ?? 0) ^ 1)]),
    }),
  ],
  REFUSED,
);
add('empty signature', [leaf({ spoil: () => Buffer.alloc(0) })], REFUSED);
add('two signature algorithms', [leaf({ innerAlgorithm: 'ecdsa-sha512' })], REFUSED);
add(
  'signed by the key of somebody else of the same name',
  [leaf({}, write({ subject: 'Root', keys: ecKeys(), extensions: CA }))],
  REFUSED,
);

// Validity.
add('expired', [leaf({ notBefore: time(-9), notAfter: time(-1) })], REFUSED);
add('not yet valid', [leaf({ notBefore: time(1) })], REFUSED);
add('ends before it begins', [leaf({ notBefore: time(2), notAfter: time(1) })], REFUSED);
add('year 9999', [leaf({ notAfter: text(0x18, '99991231235959Z') })], ACCEPTED);
add('UTCTime', [leaf({ notBefore: text(0x17, '200101000000Z') })], ACCEPTED);
add(
  'UTCTime without seconds',
  [leaf({ notBefore: text(0x17, '2001010000Z') })],
  ACCEPTED,
  stricter('not DER'),
);
add('time with an offset', [leaf({ notBefore: text(0x18, '20200101000000+0000') })], REFUSED);
add('31 February', [leaf({ notBefore: text(0x18, '20200231000000Z') })], REFUSED);
const expiredRoot = anchor('Expired root', { notBefore: time(-30), notAfter: time(-2) });
add('root expired', [leaf({}, expiredRoot)], REFUSED);
const futureRoot = anchor('Future root', { notBefore: time(2) });
add('root not yet valid', [leaf({}, futureRoot)], REFUSED);
const expiredSub = sub('Expired sub', root, { notBefore: time(-30), notAfter: time(-2) });
add('intermediate expired', [leaf({}, expiredSub), expiredSub], REFUSED);

// Extended key usage.
add('for clients', [withExtensions(x.usages(CLIENT))], ACCEPTED);
add('for anything', [withExtensions(x.usages(ANY))], ACCEPTED);
add('for servers only', [withExtensions(x.usages(SERVER))], REFUSED);
add('for servers and clients', [withExtensions(x.usages(SERVER, CLIENT))], ACCEPTED);
add('for code signing and anything', [withExtensions(x.usages('1.3.6.1.5.5.7.3.3', ANY))], ACCEPTED);
add('for something unknown', [withExtensions(x.usages('1.2.3.4.5'))], REFUSED);
add('empty list of usages', [withExtensions(x.usages())], ACCEPTED, stricter('RFC 5280 wants one'));
add(
  'usages not parseable',
  [withExtensions({ oid: '2.5.29.37', value: Uint8Array.of(0x30, 3, 4, 1, 1) })],
  REFUSED,
);
const serverSub = sub('Server sub', root, { extensions: [...CA, x.usages(SERVER)] });
add('intermediate for servers only', [leaf({}, serverSub), serverSub], REFUSED);
const anySub = sub('Any sub', root, { extensions: [...CA, x.usages(ANY)] });
add('intermediate for anything', [leaf({}, anySub), anySub], ACCEPTED);
const serverRoot = anchor('Server root', { extensions: [...CA, x.usages(SERVER)] });
add('root for servers only', [leaf({}, serverRoot)], REFUSED);

// Who may issue.
const aliceFirst = leaf({ extensions: [x.constraints(false), x.keyUsage(0x80), GRANT] });
add('issued by an ordinary client', [leaf({ subject: 'eve' }, aliceFirst), aliceFirst], REFUSED);
const bareSub = sub('Bare sub', root, { extensions: [] });
add('issued by one without basicConstraints', [leaf({}, bareSub), bareSub], REFUSED);
const signerSub = sub('Signer sub', root, { extensions: [x.keyUsage(0x06)] });
add('issued by one that may sign but is no CA', [leaf({}, signerSub), signerSub], REFUSED);
const muteSub = sub('Mute sub', root, { extensions: [x.constraints(true), x.keyUsage(0x80)] });
add('issued by a CA that may not sign', [leaf({}, muteSub), muteSub], REFUSED);
const falseRoot = anchor('CA:false root', { extensions: [x.constraints(false)] });
add('root with CA:false', [leaf({}, falseRoot)], REFUSED);
const bareRoot = anchor('Root without extensions', { extensions: [] });
add('root of version 3 without extensions', [leaf({}, bareRoot)], REFUSED);
const usageRoot = anchor('Root without basicConstraints', { extensions: [x.keyUsage(0x06)] });
add('root without basicConstraints', [leaf({}, usageRoot)], REFUSED);
const muteRoot = anchor('Mute root', { extensions: [x.constraints(true), x.keyUsage(0x80)] });
add('root that may not sign', [leaf({}, muteRoot)], REFUSED);
const firstRoot = anchor('Root of version 1', { extensions: [], version: 1 });
add('root of version 1', [leaf({}, firstRoot)], ACCEPTED);
const firstSub = sub('Sub of version 1', root, { extensions: [], version: 1 });
add('intermediate of version 1', [leaf({}, firstSub), firstSub], REFUSED);
add('leaf of version 1', [leaf({ extensions: [], version: 1 })], NAMED_ONLY);
add(
  'leaf of version 1 with extensions',
  [leaf({ version: 1 })],
  NAMED_ONLY,
  stricter('there are none before version 3'),
);
add(
  'leaf of version 2 with extensions',
  [leaf({ version: 2 })],
  NAMED_ONLY,
  stricter('there are none before version 3'),
);
add('leaf of version 4', [leaf({ version: 4 })], REFUSED);
const unmarkedSub = sub('Unmarked sub', root, { extensions: [x.constraints(true, undefined, false)] });
add('CA with basicConstraints not critical', [leaf({}, unmarkedSub), unmarkedSub], ACCEPTED);

// Length of the path.
const shortRoot = anchor('Short root', { extensions: [x.constraints(true, 0), x.keyUsage(0x06)] });
const belowShort = sub('Below short', shortRoot);
add('path length 0, used', [leaf({}, shortRoot)], ACCEPTED);
add('path length 0, exceeded', [leaf({}, belowShort), belowShort], REFUSED);
const oneRoot = anchor('One root', { extensions: [x.constraints(true, 1), x.keyUsage(0x06)] });
const oneSub = sub('One sub', oneRoot);
const twoSub = sub('Two sub', oneSub);
add('path length 1, used', [leaf({}, oneSub), oneSub], ACCEPTED);
add('path length 1, exceeded', [leaf({}, twoSub), twoSub, oneSub], REFUSED);
const long: Written[] = [];
for (let depth = 0; depth < 20; depth++) long.unshift(sub(`Depth ${depth}`, long[0] ?? root));
add('chain of 20 intermediates', [leaf({}, long[0] as Written), ...long], ACCEPTED);
add(
  'intermediates in the wrong order',
  [leaf({}, long[17] as Written), ...long.slice(17).reverse()],
  ACCEPTED,
);
add('an intermediate is missing', [leaf({}, long[17] as Written), ...long.slice(18)], REFUSED);
const loopA = ecKeys();
const loopB = ecKeys();
const bAuthority: Written = { raw: Buffer.alloc(0), name: nameOf('Loop B'), keys: loopB };
const a = write({ subject: 'Loop A', keys: loopA, issuer: bAuthority, extensions: CA });
const b = write({ subject: 'Loop B', keys: loopB, issuer: a, extensions: CA });
add('two CAs that certify each other', [leaf({}, a), a, b], REFUSED);

// Who is trusted.
const stranger = write({ subject: 'Stranger', keys: ecKeys(), extensions: CA });
add('unknown CA', [leaf({}, stranger)], REFUSED);
add('unknown CA that comes along', [leaf({}, stranger), stranger], REFUSED);
add('root in the chain as well', [leaf(), root], ACCEPTED);
add('other certificates in the chain', [leaf(), stranger, rsaRoot], ACCEPTED);
add('signs itself', [write({ subject: 'self', keys: ecKeys(), extensions: [GRANT] })], REFUSED);
add(
  'signs itself under the name of the root',
  [write({ subject: 'Root', keys: ecKeys(), extensions: [...CA, GRANT] })],
  REFUSED,
);
const selfInFile = anchor('self in file', { extensions: [x.constraints(false), GRANT] });
add('signs itself and stands in the CA file', [selfInFile], ACCEPTED);
const clientInFile = leaf({ subject: 'client in file', extensions: [x.usages(CLIENT), GRANT] }, stranger);
full.push(clientInFile);
add('client of an unknown CA that stands in the CA file', [clientInFile], ACCEPTED);
add('issued by that client', [leaf({}, clientInFile)], REFUSED);
const clientRoot = anchor('Client root', { extensions: [x.constraints(true), x.keyUsage(0x86)] });
add('the root itself as client', [clientRoot], NAMED_ONLY);
add('a key that may not sign handshakes', [withExtensions(x.keyUsage(0x20))], ACCEPTED, MUTE);
const subInFile = sub('Sub in file', stranger);
full.push(subInFile);
add('an intermediate of an unknown CA that stands in the CA file', [leaf({}, subInFile)], ACCEPTED);
const printableRoot = anchor(rawName(printable('Printable root')));
add(
  'name of the issuer in another kind of string',
  [leaf({ issuerName: nameOf('Printable root') }, printableRoot)],
  REFUSED,
);

// Critical and doubled extensions.
add('unknown extension', [withExtensions({ oid: '1.2.3.4', value: Uint8Array.of(5, 0) })], ACCEPTED);
add(
  'unknown critical extension',
  [withExtensions({ oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) })],
  REFUSED,
);
const strangeSub = sub('Strange sub', root, {
  extensions: [...CA, { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }],
});
add('unknown critical extension of an intermediate', [leaf({}, strangeSub), strangeSub], REFUSED);
const strangeRoot = anchor('Strange root', {
  extensions: [...CA, { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }],
});
add('unknown critical extension of the root', [leaf({}, strangeRoot)], REFUSED);
add('critical method list', [leaf({ extensions: [{ ...GRANT, critical: true }] })], REFUSED);
add('basicConstraints twice', [withExtensions(x.constraints(false), x.constraints(true))], REFUSED);
add('method list twice', [leaf({ extensions: [GRANT, methods('ImageServer.*')] })], REFUSED);
add('group list twice', [leaf({ extensions: [groups('a'), groups('b'), GRANT] })], REFUSED);
add(
  'an unknown extension twice',
  [
    withExtensions(
      { oid: '1.2.3.4', value: Uint8Array.of(5, 0) },
      { oid: '1.2.3.4', value: Uint8Array.of(5, 0) },
    ),
  ],
  REFUSED,
);
add(
  'policies twice',
  [
    withExtensions(
      { oid: '2.5.29.32', value: Uint8Array.of(0x30, 4, 0x30, 2, 6, 0) },
      { oid: '2.5.29.32', value: Uint8Array.of(0x30, 4, 0x30, 2, 6, 0) },
    ),
  ],
  REFUSED,
);
add(
  'critical alternative names of a kind that means nothing',
  [withExtensions({ ...x.alternativeNames(directoryName(nameOf('x'))), critical: true })],
  REFUSED,
);
add(
  'critical alternative names',
  [withExtensions({ ...x.alternativeNames(dnsName('a.example.org')), critical: true })],
  ACCEPTED,
);
add(
  'critical policies',
  [
    withExtensions({
      oid: '2.5.29.32',
      critical: true,
      value: Uint8Array.of(0x30, 6, 0x30, 4, 6, 2, 0x2a, 3),
    }),
  ],
  ACCEPTED,
);
add(
  'critical policy constraints',
  [withExtensions({ oid: '2.5.29.36', critical: true, value: Uint8Array.of(0x30, 3, 0x80, 1, 0) })],
  REFUSED,
);

// Method and group lists.
const list = (value: Uint8Array, id = METHODS_OID) => leaf({ extensions: [{ oid: id, value }] });
add('no list at all', [leaf({ extensions: [] })], NAMED_ONLY);
add('empty method list', [leaf({ extensions: [methods()] })], NAMED_ONLY);
add('method without dot', [leaf({ extensions: [methods(METHOD, 'ObjectServer')] })], REFUSED);
add('method with two dots', [leaf({ extensions: [methods(METHOD, 'a.b.c')] })], REFUSED);
add('empty method', [leaf({ extensions: [methods(METHOD, '')] })], REFUSED);
add('only a dot', [leaf({ extensions: [methods(METHOD, '.')] })], ACCEPTED);
add('bytes behind the list', [list(Buffer.concat([GRANT.value, Uint8Array.of(0)]))], REFUSED);
add('list cut off', [list(GRANT.value.subarray(0, -1))], REFUSED);
add('no list but a string', [list(utf8(METHOD))], REFUSED);
add('list of numbers', [list(Uint8Array.of(0x30, 3, 2, 1, 1))], REFUSED);
add('list with a list in it', [list(der(0x30, der(0x30, utf8(METHOD))))], REFUSED);
add('set instead of sequence', [list(der(0x31, utf8(METHOD)))], REFUSED);
add('nothing in the extension', [list(new Uint8Array(0))], REFUSED);
add(
  'indefinite length',
  [list(Buffer.concat([Uint8Array.of(0x30, 0x80), utf8(METHOD), Uint8Array.of(0, 0)]))],
  REFUSED,
);
add(
  'length not minimal',
  [list(Buffer.concat([Uint8Array.of(0x30, 0x81, utf8(METHOD).length), utf8(METHOD)]))],
  REFUSED,
);
add('bad UTF-8', [list(der(0x30, der(0x0c, Buffer.from('ObjectServer.\xff', 'latin1'))))], REFUSED);
for (const [name, tag] of [
  ['IA5', 0x16],
  ['T.61', 0x14],
  ['General', 0x1b],
] as const)
  add(`${name} string`, [list(der(0x30, text(tag, METHOD)))], ACCEPTED);
add('BMP string', [list(der(0x30, der(0x1e, Buffer.from(METHOD, 'utf16le').swap16())))], ACCEPTED);
add('BMP string of odd length', [list(der(0x30, der(0x1e, Uint8Array.of(0, 0x61, 0))))], REFUSED);
add('visible string', [list(der(0x30, text(0x1a, METHOD)))], REFUSED);
add('printable string with an asterisk', [list(der(0x30, printable('ObjectServer.*')))], ACCEPTED);
add('printable string with an ampersand', [list(der(0x30, printable(METHOD), printable('A&B.c')))], ACCEPTED);
add('printable string with an underscore', [list(der(0x30, printable(METHOD), printable('a_b.c')))], REFUSED);
add('numeric string with letters', [list(der(0x30, text(0x12, METHOD)))], REFUSED);
add(
  'groups malformed',
  [leaf({ extensions: [{ oid: GROUPS_OID, value: Uint8Array.of(0x30, 3, 2, 1, 1) }, GRANT] })],
  REFUSED,
);
add('bad glob', [leaf({ extensions: [methods('ObjectServer.[', METHOD)] })], ACCEPTED);
const generousSub = sub('Generous sub', root, { extensions: [...CA, GRANT] });
add('method list of the intermediate only', [leaf({ extensions: [] }, generousSub), generousSub], {
  accepted: true,
  methods: true,
});
const brokenSub = sub('Broken sub', root, { extensions: [...CA, methods('nodot')] });
add('malformed method list of the intermediate', [leaf({}, brokenSub), brokenSub], REFUSED);

// Names.
add('no common name', [leaf({ subject: organization('o') })], ACCEPTED);
add('no name at all', [leaf({ subject: rawName() })], ACCEPTED);
add('empty common name', [leaf({ subject: nameOf('') })], ACCEPTED);
add('two common names', [leaf({ subject: rawName(utf8('first'), utf8('second')) })], ACCEPTED);
add('common name with a newline', [leaf({ subject: nameOf('alice\n{"user":"root"}') })], ACCEPTED);
add('common name with a zero byte', [leaf({ subject: nameOf('alice\0.example') })], ACCEPTED);
add('common name that is no string', [leaf({ subject: rawName(der(2, Uint8Array.of(1))) })], REFUSED);
add('common name of bad UTF-8', [leaf({ subject: rawName(der(0x0c, Uint8Array.of(0xff))) })], REFUSED);
add(
  'common name in BMP',
  [leaf({ subject: rawName(der(0x1e, Buffer.from('alice', 'utf16le').swap16())) })],
  ACCEPTED,
);
add(
  'common name as printable string with an at sign',
  [leaf({ subject: rawName(printable('alice@example.org')) })],
  REFUSED,
);
add('common name of 5000 characters', [leaf({ subject: nameOf('a'.repeat(5000)) })], ACCEPTED);

// Name constraints.
const bound = (name: string, ...rest: Parameters<typeof x.nameConstraints>) =>
  sub(name, root, { extensions: [...CA, x.nameConstraints(...rest)] });
const named = (...names: Uint8Array[]): readonly Extension[] => [x.alternativeNames(...names), GRANT];
const toDns = bound('To DNS', [dnsName('example.org')]);
add('name constraint, no alternative name', [leaf({}, toDns), toDns], ACCEPTED);
add('name constraint met', [leaf({ extensions: named(dnsName('a.example.org')) }, toDns), toDns], ACCEPTED);
add(
  'name constraint not met',
  [leaf({ extensions: named(dnsName('a.example.com')) }, toDns), toDns],
  REFUSED,
);
add(
  'one of two names meets the constraint',
  [leaf({ extensions: named(dnsName('a.example.org'), dnsName('b.example.com')) }, toDns), toDns],
  REFUSED,
);
add(
  'name of another kind than the constraint',
  [leaf({ extensions: named(emailName('a@example.com')) }, toDns), toDns],
  ACCEPTED,
);
const notDns = bound('Not DNS', [], [dnsName('example.com')]);
add('name excluded', [leaf({ extensions: named(dnsName('a.example.com')) }, notDns), notDns], REFUSED);
add('name not excluded', [leaf({ extensions: named(dnsName('example.org')) }, notDns), notDns], ACCEPTED);
const toMail = bound('To mail', [emailName('example.org')]);
add(
  'mail constraint met',
  [leaf({ extensions: named(emailName('a@example.org')) }, toMail), toMail],
  ACCEPTED,
);
add(
  'mail constraint not met',
  [leaf({ extensions: named(emailName('a@example.com')) }, toMail), toMail],
  REFUSED,
);
const toAddress = bound('To address', [addressName(10, 0, 0, 0, 255, 0, 0, 0)]);
add(
  'address constraint met',
  [leaf({ extensions: named(addressName(10, 1, 2, 3)) }, toAddress), toAddress],
  ACCEPTED,
);
add(
  'address constraint not met',
  [leaf({ extensions: named(addressName(11, 1, 2, 3)) }, toAddress), toAddress],
  REFUSED,
);
const toUri = bound('To URI', [uriName('example.org')]);
add(
  'URI constraint not met',
  [leaf({ extensions: named(uriName('https://example.com/x')) }, toUri), toUri],
  REFUSED,
);
const toDirectory = bound('To directory', [directoryName(nameOf('alice'))]);
add('critical constraint on directory names', [leaf({}, toDirectory), toDirectory], REFUSED);
const boundRoot = anchor('Bound root', { extensions: [...CA, x.nameConstraints([dnsName('example.org')])] });
add(
  'constraint of the root not met',
  [leaf({ extensions: named(dnsName('a.example.com')) }, boundRoot)],
  REFUSED,
);
const looseDns = bound('Loose DNS', [dnsName('example.org')], [], false);
add(
  'constraint that is not critical not met',
  [leaf({ extensions: named(dnsName('a.example.com')) }, looseDns), looseDns],
  REFUSED,
);
const emptyBound = sub('Empty bound', root, {
  extensions: [...CA, { oid: '2.5.29.30', critical: true, value: Uint8Array.of(0x30, 0) }],
});
add('empty name constraints', [leaf({}, emptyBound), emptyBound], REFUSED);
// The same CA certified twice, once with constraints that the leaf breaks: only the free way counts.
const twiceKeys = ecKeys();
const free = sub('Certified twice', root, { keys: twiceKeys });
const tied = sub('Certified twice', root, {
  keys: twiceKeys,
  extensions: [...CA, x.nameConstraints([dnsName('example.org')]), GRANT],
});
const ofTwice = leaf({ extensions: [x.alternativeNames(dnsName('a.example.com'))] }, free);
add('method list on a way that constraints close', [ofTwice, free, tied], NAMED_ONLY);
add('way that constraints close, first', [ofTwice, tied, free], NAMED_ONLY);

// Things that are hardly certificates.
add('serial number negative', [leaf({ serial: Uint8Array.of(0x80) })], ACCEPTED);
add('serial number 0', [leaf({ serial: Uint8Array.of(0) })], ACCEPTED);
add('serial number not minimal', [leaf({ serial: Uint8Array.of(0, 0, 1) })], REFUSED);
add('serial number of 40 bytes', [leaf({ serial: Buffer.alloc(40, 0x11) })], ACCEPTED);
add(
  'bytes behind the certificate',
  [leaf({ bend: (raw) => Buffer.concat([raw, Uint8Array.of(0)]) })],
  REFUSED,
);
add('certificate cut off', [leaf({ bend: (raw) => raw.subarray(0, -3) })], REFUSED);
add('garbage', [{ ...leaf(), raw: Buffer.from('not a certificate at all') }], REFUSED);
add('garbage behind a good leaf', [leaf(), { ...leaf(), raw: Buffer.from('30030201ff', 'hex') }], REFUSED);

// Standard extensions that are not well made.
const odd = (name: string, oid: string, hex: string, original: Verdict, ours?: OddCase['ours']) =>
  add(name, [withExtensions({ oid, value: Buffer.from(hex, 'hex') })], original, ours);
odd('subject key identifier that is none', '2.5.29.14', '0101ff', REFUSED);
odd('subject key identifier', '2.5.29.14', '040411223344', ACCEPTED);
odd('authority key identifier that is none', '2.5.29.35', '0101ff', REFUSED);
odd('authority key identifier cut off', '2.5.29.35', '3004800411', REFUSED);
odd('authority key identifier of somebody else', '2.5.29.35', '3006800411223344', ACCEPTED);
odd('key usage that is none', '2.5.29.15', '040104', REFUSED);
odd('key usage with bits that are not used', '2.5.29.15', '03020781', REFUSED);
odd('key usage without bits', '2.5.29.15', '030100', ACCEPTED, MUTE);
odd('key usage of nine bits', '2.5.29.15', '0303078080', ACCEPTED);
odd('basicConstraints that are none', '2.5.29.19', '0500', REFUSED);
odd('basicConstraints with an odd boolean', '2.5.29.19', '3003010101', REFUSED);
odd('basicConstraints with a boolean that says the default', '2.5.29.19', '3003010100', ACCEPTED);
odd(
  'basicConstraints with a negative length',
  '2.5.29.19',
  '30060101ff0201ff',
  ACCEPTED,
  stricter('no such length'),
);
odd('alternative names that are none', '2.5.29.17', '0500', REFUSED);
odd('alternative name of five bytes of address', '2.5.29.17', '300787050102030405', REFUSED);
odd('alternative name that is not ASCII', '2.5.29.17', '30048202c3a9', REFUSED);
odd('alternative name with a bad URI', '2.5.29.17', '30088606783a2f2f2525', REFUSED);
odd('alternative name with a host of empty labels', '2.5.29.17', '300b8609783a2f2f612e2e622f', REFUSED);
odd('alternative name of another kind', '2.5.29.17', '300688042a030405', ACCEPTED);
odd('policies that are none', '2.5.29.32', '30020500', REFUSED);
odd('policy without identifier', '2.5.29.32', '30023000', REFUSED);
odd('policies', '2.5.29.32', '3006300406022a03', ACCEPTED);
odd('distribution points that are none', '2.5.29.31', '0500', REFUSED);
odd('distribution point relative to the issuer', '2.5.29.31', '30063004a002a100', REFUSED);
odd('distribution points', '2.5.29.31', '300b3009a007a0058603783a79', ACCEPTED);
odd('access to the issuer that is none', '1.3.6.1.5.5.7.1.1', '30020500', REFUSED);
odd('access to the issuer', '1.3.6.1.5.5.7.1.1', '3011300f06082b060105050730018603783a79', ACCEPTED);
add(
  'critical access to the issuer',
  [
    withExtensions({
      oid: '1.3.6.1.5.5.7.1.1',
      critical: true,
      value: Buffer.from('3011300f06082b060105050730018603783a79', 'hex'),
    }),
  ],
  ACCEPTED,
);
const spoiltSub = sub('Spoilt sub', root, {
  extensions: [...CA, { oid: '2.5.29.14', value: Uint8Array.of(1, 1, 0xff) }],
});
add('intermediate with a malformed extension', [leaf({}, spoiltSub), spoiltSub], REFUSED);
const spoiltRoot = anchor('Spoilt root', {
  extensions: [...CA, { oid: '2.5.29.14', value: Uint8Array.of(1, 1, 0xff) }],
});
add('root with a malformed extension', [leaf({}, spoiltRoot)], REFUSED);
const doubledRoot = anchor('Doubled root', { extensions: [...CA, GRANT, GRANT] });
add('root with an extension twice', [leaf({}, doubledRoot)], REFUSED);

// The identity CA, and who takes its powers too far.
withIdentityCa = true;
const identityRoot = anchor('Identity root', {}, identity);
add('identity CA: name and groups only', [leaf({}, identityRoot)], NAMED_ONLY);
const fake = sub('Root', identityRoot);
add('a CA below the identity CA under the name of the full-auth CA', [leaf({}, fake), fake], ACCEPTED, {
  accepted: true,
  methods: false,
  because: 'an identity CA must not lend powers',
});
const ownSub = sub('Own sub', root);
add('an intermediate that is not in the CA file', [leaf({}, ownSub), ownSub], NAMED_ONLY);

export const ODD = { full, identity, cases };
