/**
 * Long answers leave much behind that is of no use a moment later. The collector waits until that has grown by as much as
 * there is in all; it is asked to look at what is new more often, which takes it a millisecond or two.
 */
import { edenGC } from 'bun:jsc';

/** Bytes of answers between two such looks. */
const EVERY = 8 * 1024 * 1024;

let made = 0;

/** So many bytes of a long answer have been made. */
export function answerGrew(bytes: number): void {
  made += bytes;
  if (made < EVERY) return;
  made = 0;
  edenGC();
}
