/** Everything a method handler may use; made once by the daemon, by tests with fakes. */
import type { EncodedImage, ImageStore, ObjectStore } from '../store/types.ts';
import type { Call, Channel } from './method.ts';

export interface Services {
  readonly images: ImageStore;
  readonly objects: ObjectStore;
  /** Groups of the operating system (getgrnam). */
  readonly groupExists: (name: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** One line for the server's log, in the original's wording where it has one. */
  readonly log: (line: string) => void;
  /** What callers with the permission may do with that log. */
  readonly remoteLog: RemoteLog;
  /** Set on a replica: where changes go. */
  readonly master: Master | undefined;
  /** May nobody delete this image? Undefined = there are none such. */
  readonly isProtected?: (name: string) => Promise<boolean>;
  /** Resolves when a replica has finished its first pass; at once on a master. */
  readonly replicated: (signal: AbortSignal) => Promise<void>;
  /** GetObjects calls in progress and GetImageUpdates listeners, for the status page and metrics. */
  readonly activity: { getObjects: number; updateListeners: number };
  /** What the replicator of a replica tells and takes; undefined on a master. */
  readonly replication?: ReplicationControl;
}

/** The server's log in the hands of remote callers. */
export interface RemoteLog {
  /** One line, if `level` is not above the level of the log or of a listener. */
  debug(level: number, line: string): void;
  /** Below -1 counts as -1: no debug messages. */
  setLevel(level: number): void;
  /** `onLine` gets every later line up to `level`, with its newline; must be quick. The result ends that. */
  subscribe(level: number, onLine: (line: string) => void): () => void;
  /** How many listen. */
  readonly listeners: number;
}

/** How a replica is doing. */
export interface ReplicationStatus {
  readonly state: 'connecting' | 'initial' | 'live' | 'disconnected';
  /** host:port as configured. */
  readonly master: string;
  readonly archive: boolean;
  /** Milliseconds since the epoch, as all times here; undefined = not connected. */
  readonly connectedSince: number | undefined;
  /** Last message of the master. */
  readonly lastEvent: number | undefined;
  /** Last time everything had been compared with the master's complete list. */
  readonly lastReconciled: number | undefined;
  /** How long the oldest unfinished change waits, or how long the master has been away. */
  readonly lagMs: number;
  /** Images waiting or being worked on. */
  readonly queue: number;
  readonly failing: readonly {
    readonly name: string;
    readonly reason: string;
    readonly attempts: number;
    readonly since: number;
    readonly retryAt: number;
  }[];
  /** Deletions that await a decision. */
  readonly heldDeletions: readonly {
    readonly name: string;
    readonly since: number;
    readonly reason: string;
  }[];
  /** The master's clock minus ours; undefined = not known. */
  readonly clockSkewMs: number | undefined;
  readonly clockSkewWarning: boolean;
  readonly lastError: string | undefined;
  readonly lastErrorAt: number | undefined;
  /** Bytes of objects received since the start. */
  readonly receivedBytes: number;
}

export interface ReplicationControl {
  status(): ReplicationStatus;
  /** Lets held deletions happen: `names`, or all if undefined. Resolves with the names that are deleted now. */
  releaseDeletions(names?: readonly string[]): Promise<string[]>;
  /** Compares everything with the master again, now. */
  reconcile(): void;
}

/** A replica's way to its master ("injection": uploads to a replica go to the master first). */
export interface Master {
  /** host:port as configured, for texts. */
  readonly address: string;
  /**
   * AddImageTrusted at the master, then `commit` here, with the replication stream kept from doing the same meanwhile.
   * The master's error text comes back verbatim.
   */
  injectImage(name: string, image: EncodedImage, commit: () => Promise<void>): Promise<void>;
  /** The whole AddObjects call: stash here, send to the master, commit when it has confirmed. */
  injectObjects(services: Services, channel: Channel, call: Call): Promise<void>;
  /** ChownDirectory at the master, so that the two never diverge. */
  chownDirectory(directory: string, group: string, call: Call): Promise<void>;
}
