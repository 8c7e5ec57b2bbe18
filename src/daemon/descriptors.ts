/** How many connections there may be, given how many files the system lets this process open. */
import { readFileSync } from 'node:fs';

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerPeer: number;
}

/** Descriptors for files, logs, the index and the master, whatever strangers do; less where there are few at all. */
const RESERVED = 512;

/** Descriptors that this process may have; undefined if the system does not say. */
export function descriptorLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line ? Number(line[1]) : undefined;
  } catch {
    // Not Linux.
    return undefined;
  }
}

/**
 * The limits asked for, lowered so far that connections cannot take the descriptors which serving them needs: new ones
 * are refused before the system refuses to open files.
 */
export function affordableConnections(
  wanted: ConnectionLimits,
  log: (line: string) => void,
  descriptors = descriptorLimit(),
): ConnectionLimits {
  if (descriptors === undefined) return wanted;
  const most = descriptors - Math.min(RESERVED, Math.floor(descriptors / 2));
  if (wanted.connections <= most) return wanted;
  log(
    `WARNING: at most ${most} connections instead of ${wanted.connections}, as only ${descriptors} files may be open (LimitNOFILE, ulimit -n)`,
  );
  // One peer alone must not use up what is left.
  return {
    connections: most,
    connectionsPerPeer: Math.min(wanted.connectionsPerPeer, Math.ceil(most / 2)),
  };
}
