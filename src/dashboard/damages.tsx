/** What was found damaged and set aside, as a part of the status page. */
import { Html } from '@elysiajs/html';
import type { Damage } from '../store/types.ts';
import { dateText, visible } from './words.ts';

/** Entries shown of a long list, the latest first. */
const MOST = 50;

export function damagesPart(damages: readonly Damage[]): JSX.Element {
  if (damages.length === 0) return '';
  const latest = damages.toSorted((a, b) => b.at - a.at);
  return (
    <section aria-label="Damage">
      <h2>Damage</h2>
      <p class="alarm" role="alert">
        Found damaged since the start; none of it is served. Objects heal when they are uploaded again or
        fetched from the replication master.
      </p>
      <ul>
        {latest.slice(0, MOST).map(({ kind, what, reason, at }) => (
          <li safe>{visible(`${kind} ${what}: ${reason}, ${dateText(at)}`)}</li>
        ))}
        {latest.length > MOST ? <li safe>{`and ${latest.length - MOST} more`}</li> : ''}
      </ul>
    </section>
  );
}
