import { describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { type AuditedCall, AuditLog } from './audit.ts';
import type { Identity } from './identity.ts';
import { rotatedFile } from './rotated-file.ts';

const alice: Identity = {
  user: 'alice',
  groups: new Set(),
  methods: ['ImageServer.*'],
  certificate: { serial: '0a', fingerprint: 'ff' },
  authenticated: true,
};
const deletion: AuditedCall = {
  transport: 'srpc+tls',
  peer: '192.0.2.1',
  identity: alice,
  method: { name: 'ImageServer.DeleteImage', mutates: true },
  decision: { allowed: true, methodAccess: true, reason: 'granted by the certificate' },
  subject: 'a/b',
  error: undefined,
  milliseconds: 1.23456,
};
const check = { name: 'ImageServer.CheckImage', mutates: false };
const denied = { allowed: false, methodAccess: false, reason: 'not granted by the certificate' };

function recorder(write?: (lines: string) => Promise<void>, maxWaiting?: number) {
  const lines: string[] = [];
  const complaints: string[] = [];
  let now = 0;
  const audit = new AuditLog({
    write:
      write ??
      (async (text) => {
        lines.push(...text.trimEnd().split('\n'));
      }),
    log: (line) => complaints.push(line),
    now: () => now,
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  });
  return { audit, lines, complaints, later: (ms: number) => (now += ms) };
}

describe('lines', () => {
  test.each<[string, Partial<AuditedCall>, object | undefined]>([
    ['a mutating call', {}, { outcome: 'done', access: 'method', reason: 'granted by the certificate' }],
    ['a denied one', { method: check, decision: denied }, { outcome: 'denied', method: check.name }],
    [
      'one that failed',
      { error: new ImageServerError('IMAGE_NOT_FOUND', 'image does not exist') },
      { outcome: 'failed', reason: 'IMAGE_NOT_FOUND: image does not exist' },
    ],
    ['an allowed read leaves none', { method: check }, undefined],
  ])('%s', async (_name, change, expected) => {
    const { audit, lines } = recorder();
    audit.call({ ...deletion, ...change });
    await audit.flush();
    expect(lines.length).toBe(expected ? 1 : 0);
    if (expected) expect(JSON.parse(lines[0] as string)).toMatchObject(expected);
  });

  test('all fields', async () => {
    const { audit, lines } = recorder();
    audit.call(deletion);
    audit.refusal({ transport: 'https', peer: '192.0.2.9', reason: 'expired', who: '"ed"' });
    await audit.flush();
    expect(lines).toEqual([
      '{"time":"1970-01-01T00:00:00.000Z","peer":"192.0.2.1","user":"alice","serial":"0a","fingerprint":"ff",' +
        '"transport":"srpc+tls","method":"ImageServer.DeleteImage","subject":"a/b","outcome":"done","access":"method",' +
        '"reason":"granted by the certificate","milliseconds":1.235}',
      '{"time":"1970-01-01T00:00:00.000Z","peer":"192.0.2.9","user":"","transport":"https","outcome":"refused",' +
        '"reason":"expired","who":"\\"ed\\""}',
    ]);
  });

  test('hostile names stay on their line', async () => {
    const { audit, lines } = recorder();
    audit.call({ ...deletion, subject: `x\n{"outcome":"done"}\r\0${'y'.repeat(5000)}` });
    await audit.flush();
    expect(lines.length).toBe(1);
    expect(JSON.parse(lines[0] as string).subject).toStartWith('x\n{"outcome":"done"}\r\0yyy');
    expect((lines[0] as string).length).toBeLessThan(1500);
  });
});

test('a disk that does not take lines: lost ones are counted, complaints are few, later ones arrive', async () => {
  let broken = true;
  const kept: string[] = [];
  const { audit, complaints, later } = recorder(async (text) => {
    if (broken) throw new Error('no space left on device');
    kept.push(text);
  });
  for (let round = 0; round < 3; round++) {
    audit.call(deletion);
    await audit.flush();
  }
  expect(complaints).toEqual(['AUDIT LOG: 1 lines lost so far: no space left on device']);
  later(60_000);
  audit.call(deletion);
  await audit.flush();
  expect(complaints[1]).toBe('AUDIT LOG: 4 lines lost so far: no space left on device');
  broken = false;
  audit.call(deletion);
  await audit.flush();
  expect(audit.counts()).toEqual({ written: 1, lost: 4 });
  expect(kept.length).toBe(1);
});

test('a disk that hangs: the queue is bounded', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { audit, complaints } = recorder(() => promise, 10);
  audit.call(deletion);
  await Promise.resolve();
  await Promise.resolve();
  for (let round = 0; round < 25; round++) audit.call(deletion);
  expect(audit.counts().lost).toBe(15);
  expect(complaints.length).toBe(1);
  resolve();
  await audit.flush();
  expect(audit.counts()).toEqual({ written: 11, lost: 15 });
});

test('the file: private, appended to, shifted when large', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'audit-test-'));
  const path = join(directory, 'audit.log');
  const write = rotatedFile({ path, maxBytes: 10, keep: 2 });
  await write('one\n');
  expect(statSync(path).mode & 0o777).toBe(0o640);
  await write('two345\n');
  expect(existsSync(path)).toBe(false);
  await write('three67890\n');
  await write('four567890\n');
  await write('five\n');
  expect(readFileSync(`${path}.2`, 'utf8')).toBe('three67890\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('four567890\n');
  expect(readFileSync(path, 'utf8')).toBe('five\n');
  expect(existsSync(`${path}.3`)).toBe(false);
  rmSync(directory, { recursive: true });
});
