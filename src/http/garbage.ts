/**
 * Long answers leave much behind that is of no use a moment later. The collector waits until that has grown by as much as
 * there is in all; it is asked to look at what is new more often, which takes it a millisecond or two. On a busy machine
 * its threads fall behind with what is older; then it has to go through everything, which takes several milliseconds.
 */
import { edenGC, heapSize } from 'bun:jsc';

/** What comes between two such looks: milliseconds of work on answers, or bytes of archives. */
const EVERY_MS = 30;
const EVERY_BYTES = 8 * 1024 * 1024;

/** What may be there, garbage or not, beyond what was there after it had gone through everything, bytes. */
const MAX_GROWTH = 80 * 1024 * 1024;

/** The part of EVERY_… that has been done. */
let done = 0;
let kept = Number.POSITIVE_INFINITY;

function look(part: number): void {
  done += part;
  if (done < 1) return;
  done = 0;
  kept = Math.min(kept, heapSize());
  if (heapSize() <= kept + MAX_GROWTH) {
    edenGC();
    return;
  }
  Bun.gc(true);
  kept = heapSize();
}

/** So long a long answer has been worked on, in one go. */
export function workedOnAnswer(ms: number): void {
  look(ms / EVERY_MS);
}

/** So many bytes of an archive have been made. */
export function archiveGrew(bytes: number): void {
  look(bytes / EVERY_BYTES);
}
