/** Memory of a process, from /proc: now, and the highest it has been since it was last asked for. */
import { readFileSync, writeFileSync } from 'node:fs';

const MIB = 1024;

function field(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / MIB);
}

/** MiB. */
export const resident = (pid: number): number => field(pid, 'VmRSS');

/** MiB; begins to count anew. */
export function peak(pid: number): number {
  const highest = field(pid, 'VmHWM');
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Another user's process: the peak is that since its start.
  }
  return highest;
}
