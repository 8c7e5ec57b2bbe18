/** Memory of a process, from /proc: now, and the highest it has been since it was last asked for. */
import { readFileSync, writeFileSync } from 'node:fs';

const MIB = 1024;

function field(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / MIB);
}

/** MiB. */
export const resident = (pid: number): number => field(pid, 'VmRSS');

/** Of that, MiB: what the process has of its own, without the pages of its executable. */
export const anonymous = (pid: number): number => field(pid, 'RssAnon');

/** User and system, all threads. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

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
