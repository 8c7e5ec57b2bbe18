import { GetReplicationStatusRequest, GetReplicationStatusResponse } from '../wire/messages/extensions.ts';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import { defineUnary } from './method.ts';

const time = (ms: number | undefined) => (ms === undefined ? ZERO_TIME : timeFromMillis(ms));
const nanos = (ms: number) => BigInt(Math.round(ms)) * 1_000_000n;

const NOT_A_REPLICA: GetReplicationStatusResponse = {
  ReplicationMaster: '',
  State: '',
  ArchiveMode: false,
  ConnectedSince: ZERO_TIME,
  LastEvent: ZERO_TIME,
  LastReconciled: ZERO_TIME,
  Lag: 0n,
  QueueLength: 0,
  Failing: [],
  HeldDeletions: [],
  ClockSkew: null,
  LastError: '',
  LastErrorAt: ZERO_TIME,
  ReceivedBytes: 0n,
};

export const getReplicationStatus = defineUnary({
  name: 'ImageServer.GetReplicationStatus',
  summary: 'How a replica is doing: connection, lag, failing images, deletions held back, clock skew.',
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: GetReplicationStatusRequest,
  reply: GetReplicationStatusResponse,
  handle(services) {
    if (!services.replication) return NOT_A_REPLICA;
    const status = services.replication.status();
    return {
      ReplicationMaster: status.master,
      State: status.state,
      ArchiveMode: status.archive,
      ConnectedSince: time(status.connectedSince),
      LastEvent: time(status.lastEvent),
      LastReconciled: time(status.lastReconciled),
      Lag: nanos(status.lagMs),
      QueueLength: status.queue,
      Failing: status.failing.map((image) => ({
        Name: image.name,
        Reason: image.reason,
        Attempts: image.attempts,
        Since: time(image.since),
        RetryAt: time(image.retryAt),
      })),
      HeldDeletions: status.heldDeletions.map(({ name, reason, since }) => ({
        Name: name,
        Reason: reason,
        Since: time(since),
      })),
      ClockSkew: status.clockSkewMs === undefined ? null : nanos(status.clockSkewMs),
      LastError: status.lastError ?? '',
      LastErrorAt: time(status.lastErrorAt),
      ReceivedBytes: BigInt(status.receivedBytes),
    };
  },
});
