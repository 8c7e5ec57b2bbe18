/** Everything a method handler may use; made once by the daemon, by tests with fakes. */
import type { ImageStore, ObjectStore } from '../store/types.ts';

export interface Services {
  readonly images: ImageStore;
  readonly objects: ObjectStore;
  /** Groups of the operating system (getgrnam). */
  readonly groupExists: (name: string) => boolean;
  readonly now: () => number;
  /** Set on a replica. */
  readonly master: Master | undefined;
  /** Resolves when a replica has finished its first pass; at once on a master. */
  readonly replicated: () => Promise<void>;
}

/** A replica's way to its master (spec: types.md 5.3, "injection"). */
export interface Master {
  /** host:port as configured, for texts. */
  readonly address: string;
}
