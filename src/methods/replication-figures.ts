/** How a replica is doing: as numbers for metrics, and in words where something is not well. */
import type { ReplicationStatus } from './services.ts';

export interface ReplicationFigures {
  /** 1 = connected to the master, 0 = not. */
  readonly connected: 0 | 1;
  /** How long the oldest unfinished change waits, or how long the master has been away. */
  readonly lagSeconds: number;
  /** Images waiting or being worked on. */
  readonly queuedImages: number;
  /** Images that failed and wait for their next attempt. */
  readonly failedImages: number;
  /** Deletions that await a decision. */
  readonly heldDeletions: number;
  /** The master's clock minus ours; undefined = not known. */
  readonly skewSeconds: number | undefined;
  /** Bytes of objects received since the start. */
  readonly receivedBytes: number;
  /** Seconds since the epoch when everything had last been compared with the master; 0 = not since the start. */
  readonly lastReconciledSeconds: number;
}

const isConnected = ({ state }: ReplicationStatus) => state === 'live' || state === 'initial';

export function replicationFigures(status: ReplicationStatus): ReplicationFigures {
  return {
    connected: isConnected(status) ? 1 : 0,
    lagSeconds: status.lagMs / 1000,
    queuedImages: status.queue,
    failedImages: status.failing.length,
    heldDeletions: status.heldDeletions.length,
    skewSeconds: status.clockSkewMs === undefined ? undefined : status.clockSkewMs / 1000,
    receivedBytes: status.receivedBytes,
    lastReconciledSeconds: (status.lastReconciled ?? 0) / 1000,
  };
}

const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
const verb = (count: number) => (count === 1 ? 'is' : 'are');

/** What an operator should know, one sentence each; empty when all is well. Nothing in it that strangers may not see. */
export function replicationConcerns(status: ReplicationStatus): string[] {
  const { failing, heldDeletions, clockSkewMs = 0 } = status;
  const concerns: string[] = [];
  if (!isConnected(status))
    concerns.push(`Replication: not connected to the master for ${Math.round(status.lagMs / 1000)} s`);
  if (heldDeletions.length > 0)
    concerns.push(
      `Replication: ${many(heldDeletions.length, 'deletion')} ${verb(heldDeletions.length)} held back and await${heldDeletions.length === 1 ? 's' : ''} a decision (imagetool replication-status, release-deletions)`,
    );
  if (failing.length > 0)
    concerns.push(`Replication: ${many(failing.length, 'image')} cannot be copied at the moment`);
  if (status.clockSkewWarning)
    concerns.push(
      `Replication: the clock of the master is ${Math.abs(clockSkewMs / 1000).toFixed(1)} s ${clockSkewMs > 0 ? 'ahead of' : 'behind'} ours: images expire at different times`,
    );
  return concerns;
}
