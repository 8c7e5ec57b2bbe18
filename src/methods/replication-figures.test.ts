import { describe, expect, test } from 'bun:test';
import { replicationConcerns, replicationFigures } from './replication-figures.ts';
import type { ReplicationStatus } from './services.ts';

const WELL: ReplicationStatus = {
  state: 'live',
  master: 'm:6971',
  archive: false,
  connectedSince: 1000,
  lastEvent: 2000,
  lastReconciled: 3000,
  lagMs: 0,
  queue: 0,
  failing: [],
  heldDeletions: [],
  clockSkewMs: 200,
  clockSkewWarning: false,
  lastError: undefined,
  lastErrorAt: undefined,
  receivedBytes: 7,
};
const failing = { name: 'secret/name', reason: 'r', attempts: 1, since: 1, retryAt: 2 };
const held = { name: 'secret/name', since: 1, reason: 'r' };

test('figures', () => {
  expect(replicationFigures(WELL)).toEqual({
    connected: 1,
    lagSeconds: 0,
    queuedImages: 0,
    failedImages: 0,
    heldDeletions: 0,
    skewSeconds: 0.2,
    receivedBytes: 7,
    lastReconciledSeconds: 3,
  });
  expect(
    replicationFigures({
      ...WELL,
      state: 'disconnected',
      lagMs: 1500,
      failing: [failing],
      heldDeletions: [held, held],
      clockSkewMs: undefined,
      lastReconciled: undefined,
    }),
  ).toMatchObject({
    connected: 0,
    lagSeconds: 1.5,
    failedImages: 1,
    heldDeletions: 2,
    skewSeconds: undefined,
    lastReconciledSeconds: 0,
  });
});

describe('concerns', () => {
  const cases: [string, Partial<ReplicationStatus>, string[]][] = [
    ['all is well', {}, []],
    [
      'the master is away',
      { state: 'connecting', lagMs: 61_000 },
      ['Replication: not connected to the master for 61 s'],
    ],
    ['one image fails', { failing: [failing] }, ['Replication: 1 image cannot be copied at the moment']],
    [
      'deletions are held back',
      { heldDeletions: [held, held] },
      [
        'Replication: 2 deletions are held back and await a decision (imagetool replication-status, release-deletions)',
      ],
    ],
    [
      'clocks differ',
      { clockSkewMs: -5100, clockSkewWarning: true },
      ['Replication: the clock of the master is 5.1 s behind ours: images expire at different times'],
    ],
  ];
  for (const [name, difference, texts] of cases)
    test(name, () => {
      const concerns = replicationConcerns({ ...WELL, ...difference });
      expect(concerns).toEqual(texts);
      // Strangers see these texts.
      expect(concerns.join()).not.toMatch(/secret|m:6971/);
    });
});
