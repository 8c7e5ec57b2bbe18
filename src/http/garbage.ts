/**
 * Long answers leave much behind that is of no use a moment later. The collector waits until that has grown by as much as
 * there is in all; it is asked to look at what is new more often, which takes it a millisecond or two.
 */
import { edenGC } from 'bun:jsc';

/** What comes between two such looks: milliseconds of work on answers, or bytes of archives. */
const EVERY_MS = 30;
const EVERY_BYTES = 8 * 1024 * 1024;

/** The part of that which has been done. */
let done = 0;

function look(part: number): void {
  done += part;
  if (done < 1) return;
  done = 0;
  edenGC();
}

/** So long a long answer has been worked on, in one go. */
export function workedOnAnswer(ms: number): void {
  look(ms / EVERY_MS);
}

/** So many bytes of an archive have been made. */
export function archiveGrew(bytes: number): void {
  look(bytes / EVERY_BYTES);
}
