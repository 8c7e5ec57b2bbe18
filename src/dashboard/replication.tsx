/** How a replica is doing, as a part of the status page. */
import { Html } from '@elysiajs/html';
import { formatBytes } from '../image/format.ts';
import type { ReplicationStatus } from '../methods/services.ts';
import { dateText, durationText, visible } from './words.ts';

/** Names shown of a long list. */
const MOST = 50;

const when = (ms: number | undefined) => (ms === undefined ? 'never' : dateText(ms));

function clockText(skew: number | undefined): string {
  if (skew === undefined) return 'not known';
  if (skew === 0) return 'as ours';
  return `${durationText(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} ours`;
}

function facts(status: ReplicationStatus): [string, string][] {
  const { clockSkewMs: skew, lastError } = status;
  const connected = status.connectedSince === undefined ? '' : `, since ${dateText(status.connectedSince)}`;
  return [
    ['Replication state', `${status.state}${connected}`],
    ['Lag', durationText(status.lagMs)],
    ['Images in work', String(status.queue)],
    ['Failing images', String(status.failing.length)],
    ['Deletions held back', String(status.heldDeletions.length)],
    ['Last event', when(status.lastEvent)],
    ['Last compared', when(status.lastReconciled)],
    ['Clock of the master', clockText(skew)],
    ['Received', formatBytes(status.receivedBytes)],
    ['Last error', lastError === undefined ? 'none' : `${lastError}, ${when(status.lastErrorAt)}`],
  ];
}

function list(title: string, entries: readonly string[], advice: string): JSX.Element {
  if (entries.length === 0) return '';
  return (
    <>
      <h3 safe>{title}</h3>
      <p safe>{advice}</p>
      <ul>
        {entries.slice(0, MOST).map((entry) => (
          <li safe>{visible(entry)}</li>
        ))}
        {entries.length > MOST ? <li safe>{`and ${entries.length - MOST} more`}</li> : ''}
      </ul>
    </>
  );
}

export function replicationPart(status: ReplicationStatus): JSX.Element {
  return (
    <section aria-label="Replication">
      <h2>Replication</h2>
      {status.archive ? <p safe>Archive mode: deletions of the master are not followed</p> : ''}
      <ul class="facts">
        {facts(status).map(([name, value]) => (
          <li safe>{visible(`${name}: ${value}`)}</li>
        ))}
      </ul>
      {list(
        'Deletions held back',
        status.heldDeletions.map(({ name, reason, since }) => `${name}: ${reason}, since ${dateText(since)}`),
        'The master has deleted these images; here they stay until somebody decides: imagetool release-deletions all (or names).',
      )}
      {list(
        'Failing images',
        status.failing.map(
          ({ name, reason, attempts, since }) =>
            `${name}: ${reason} (${attempts === 1 ? 'one attempt' : `${attempts} attempts`} since ${dateText(since)})`,
        ),
        'They are tried again by themselves.',
      )}
    </section>
  );
}
