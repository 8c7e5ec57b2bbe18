import { toJson } from '../../wire/json.ts';
import { GetReplicationStatusRequest, GetReplicationStatusResponse } from '../../wire/messages/extensions.ts';
import { type GoTime, isZeroTime, toMillis } from '../../wire/time.ts';
import type { Command } from '../command.ts';

const when = (time: GoTime) =>
  isZeroTime(time) ? 'never' : `${new Date(toMillis(time)).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
const seconds = (nanos: bigint) => `${(Number(nanos) / 1e9).toFixed(1)}s`;

function lines(status: GetReplicationStatusResponse): string[] {
  if (status.ReplicationMaster === '') return ['not a replica'];
  const skew = status.ClockSkew;
  return [
    `${status.ArchiveMode ? 'archiver' : 'replica'} of ${status.ReplicationMaster}: ${status.State}`,
    `connected since: ${when(status.ConnectedSince)}`,
    `last reconciled: ${when(status.LastReconciled)}`,
    `lag: ${seconds(status.Lag)}, ${status.QueueLength} images in work`,
    `clock of the master: ${skew === null ? 'unknown' : `${skew >= 0n ? '+' : ''}${seconds(skew)}`}`,
    ...(status.LastError ? [`last error: ${status.LastError}, ${when(status.LastErrorAt)}`] : []),
    ...status.Failing.map(
      (image) =>
        `failing: ${image.Name}: ${image.Reason} (${image.Attempts} attempts since ${when(image.Since)})`,
    ),
    ...status.HeldDeletions.map((image) => `deletion held back: ${image.Name}: ${image.Reason}`),
  ];
}

export const replicationStatus: Command = {
  name: 'replication-status',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'how a replica is doing; exit 1 if images fail or deletions await a decision',
  doing: () => 'getting replication status',
  async run(context) {
    const client = await context.client();
    const status = await client.call(
      'ImageServer.GetReplicationStatus',
      GetReplicationStatusRequest,
      GetReplicationStatusResponse,
      {},
    );
    const text = context.flags.json ? toJson(GetReplicationStatusResponse, status) : lines(status).join('\n');
    await context.out(`${text}\n`);
    return status.Failing.length > 0 || status.HeldDeletions.length > 0 ? 1 : 0;
  },
};
