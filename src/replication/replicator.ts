/**
 * Follows a master: a schedule looks every second whether a session should be running, a session follows the master's
 * stream, and a slower schedule begins a new session so that everything is compared again.
 */
import { Cron } from 'croner';
import { asImageServerError, errorLine, ImageServerError } from '../errors.ts';
import { compareVersions } from '../image/version-order.ts';
import type { ReplicationControl, ReplicationStatus } from '../methods/services.ts';
import type { ImageStore, ObjectStore } from '../store/types.ts';
import { reconnectMs } from './backoff.ts';
import { Bandwidth } from './bandwidth.ts';
import { DEFAULT_GUARD, DeletionGuard } from './deletion-guard.ts';
import { ObjectFetcher } from './fetch-objects.ts';
import { healObjects } from './heal.ts';
import { HeldDeletions } from './held-deletions.ts';
import { Injections } from './injection.ts';
import type { MasterPort } from './master-link.ts';
import { Session } from './session.ts';
import { Budget, Slots } from './slots.ts';
import { realTimers, type Timers } from './timers.ts';
import type { Failure } from './work-queue.ts';

export interface ReplicationConfig {
  readonly archiveMode: boolean;
  /** In archive mode: also images that expire. */
  readonly archiveExpiringImages: boolean;
  /** Share of the images that may be deleted without asking, 0..1; 1 = all. */
  readonly maximumDeletionFraction: number;
  /** Bytes of objects per second taken from the master; 0 = no cap. */
  readonly bandwidth: number;
  /** Which images are replicated. */
  readonly selects: (name: string) => boolean;
}

export const DEFAULT_REPLICATION: ReplicationConfig = {
  archiveMode: false,
  archiveExpiringImages: false,
  maximumDeletionFraction: DEFAULT_GUARD.fraction,
  bandwidth: 0,
  selects: () => true,
};

/** A schedule in croner's pattern: no overlap, and an error does not end it. */
type Schedule = (pattern: string, run: () => Promise<void>) => { stop(): void };

export interface ReplicationDeps {
  readonly images: ImageStore;
  readonly objects: ObjectStore;
  readonly master: MasterPort;
  /** One line for the server's log. */
  readonly log: (line: string) => void;
  readonly timers?: Timers;
  readonly schedule?: Schedule;
}

export interface Replicator extends ReplicationControl {
  start(): void;
  stop(): Promise<void>;
  /** Resolves once everything of the master has been tried once; rejects when `signal` is aborted. */
  replicated(signal: AbortSignal): Promise<void>;
  readonly injections: Injections;
}

const EVERY_SECOND = '* * * * * *';
/** Everything is compared with the master again, even if the stream tells of nothing. */
const RECONCILE = '0 */15 * * * *';
const EVERY_MINUTE = '30 * * * * *';
/** Clocks further apart than this make images expire at different times: worth a warning. */
const SKEW_WARNING_MS = 2000;
/** Many, because most of them wait for the disk, and what waits together is made durable together. */
const IMAGES_IN_FLIGHT = 32;
const IMAGES_RECEIVED_AT_ONCE = 3;
const BATCHES_IN_FLIGHT = 3;
/** Images in memory, bytes; one that is larger comes alone. */
const IMAGE_MEMORY = 64 * 1024 * 1024;

const cronSchedule =
  (log: (line: string) => void): Schedule =>
  (pattern, run) => {
    const failed = (thrown: unknown) => log(`Image replicator: ${errorLine(asImageServerError(thrown))}`);
    const job = new Cron(pattern, { protect: true, catch: failed }, run);
    return { stop: () => job.stop() };
  };

export function createReplicator(config: ReplicationConfig, deps: ReplicationDeps): Replicator {
  return new MasterReplicator(config, deps);
}

class MasterReplicator implements Replicator {
  readonly injections: Injections;
  readonly #config: ReplicationConfig;
  readonly #deps: ReplicationDeps;
  readonly #timers: Timers;
  readonly #guard: DeletionGuard;
  readonly #held: HeldDeletions;
  readonly #bandwidth: Bandwidth;
  readonly #stop = new AbortController();
  #jobs: { stop(): void }[] = [];
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  #endSession: AbortController | undefined;
  #current: { fetcher: ObjectFetcher; signal: AbortSignal } | undefined;
  #state: ReplicationStatus['state'] = 'disconnected';
  #connectedSince: number | undefined;
  #disconnectedSince: number;
  #lastEvent: number | undefined;
  #lastReconciled: number | undefined;
  #lastFailures: Failure[] = [];
  #lastError: { text: string; at: number } | undefined;
  /** When the master was last of use: compared completely, or giving objects. */
  #usefulAt: number;
  #takenBefore = 0;
  #nextAttempt = 0;
  #cancelRetry: (() => void) | undefined;
  #skewMs: number | undefined;
  #skewWarning = false;
  readonly #first = Promise.withResolvers<void>();

  constructor(config: ReplicationConfig, deps: ReplicationDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#timers = deps.timers ?? realTimers;
    const now = () => this.#timers.now();
    this.#guard = new DeletionGuard({ ...DEFAULT_GUARD, fraction: config.maximumDeletionFraction }, now);
    this.#held = new HeldDeletions(deps.images);
    this.#bandwidth = new Bandwidth(config.bandwidth, this.#timers);
    this.#disconnectedSince = now();
    this.#usefulAt = now();
    this.injections = new Injections(deps.master, {
      added: (name) => this.#session?.touch(name),
      failedHere: (name) => this.#session?.look(name),
      signal: this.#stop.signal,
    });
  }

  start(): void {
    const schedule = this.#deps.schedule ?? cronSchedule(this.#deps.log);
    this.#jobs = [
      schedule(EVERY_SECOND, () => this.#poll()),
      schedule(RECONCILE, async () => this.reconcile()),
      schedule(EVERY_MINUTE, async () => {
        await this.#measureClock();
        await this.#heal();
      }),
    ];
    // The first look need not wait for the schedule.
    void this.#poll();
  }

  async stop(): Promise<void> {
    for (const job of this.#jobs) job.stop();
    this.#jobs = [];
    this.#stop.abort();
    this.#cancelRetry?.();
    await this.#running;
  }

  replicated(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const aborted = () => reject(signal.reason);
      signal.addEventListener('abort', aborted, { once: true });
      void this.#first.promise.then(() => {
        signal.removeEventListener('abort', aborted);
        resolve();
      });
    });
  }

  reconcile(): void {
    const session = this.#session;
    const end = this.#endSession;
    // A session that has not finished its list is doing just that.
    if (session?.reconciled) void session.queue.settled().then(() => end?.abort());
  }

  async releaseDeletions(names?: readonly string[]): Promise<string[]> {
    const { images, log } = this.#deps;
    const deleted: string[] = [];
    for (const name of this.#held.chosen(names)) {
      try {
        await images.remove(name, { by: 'replication' });
        deleted.push(name);
        log(`Replicator(${name}): delete image, as decided`);
      } catch (thrown) {
        if (!(thrown instanceof ImageServerError) || thrown.code !== 'IMAGE_NOT_FOUND') throw thrown;
      }
      this.#held.drop(name);
    }
    // Directories that the master lacks too were kept as long as something was held.
    if (deleted.length > 0 && this.#held.list().length === 0) this.reconcile();
    return deleted;
  }

  status(): ReplicationStatus {
    const now = this.#timers.now();
    const oldest = this.#session?.queue.oldest;
    const connected = this.#state === 'initial' || this.#state === 'live';
    const lagMs = connected ? (oldest === undefined ? 0 : now - oldest) : now - this.#disconnectedSince;
    return {
      state: this.#state,
      master: this.#deps.master.address,
      archive: this.#config.archiveMode,
      connectedSince: this.#connectedSince,
      lastEvent: this.#lastEvent,
      lastReconciled: this.#lastReconciled,
      lagMs: Math.max(0, lagMs),
      queue: this.#session?.queue.size ?? 0,
      failing: this.#session?.queue.failures() ?? this.#lastFailures,
      heldDeletions: this.#held.list().sort((a, b) => compareVersions(a.name, b.name)),
      clockSkewMs: this.#skewMs,
      clockSkewWarning: this.#skewWarning,
      lastError: this.#lastError?.text,
      lastErrorAt: this.#lastError?.at,
      receivedBytes: this.#bandwidth.taken,
    };
  }

  /** Begins a session if none runs and one is due; lasts as long as it does. */
  async #poll(): Promise<void> {
    if (this.#running || this.#stop.signal.aborted || this.#timers.now() < this.#nextAttempt) return;
    this.#running = this.#runSessions().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #runSessions(): Promise<void> {
    const { log, master } = this.#deps;
    let again = true;
    while (again && !this.#stop.signal.aborted) {
      again = false;
      const end = new AbortController();
      this.#endSession = end;
      try {
        await this.#follow(AbortSignal.any([this.#stop.signal, end.signal]));
        if (!this.#stop.signal.aborted && !end.signal.aborted) log('Connection to image replicator closed');
      } catch (thrown) {
        if (this.#stop.signal.aborted) return;
        const text = errorLine(asImageServerError(thrown));
        this.#lastError = { text, at: this.#timers.now() };
        log(
          this.#state === 'connecting'
            ? `Error dialing: ${master.address} ${text}`
            : `Connection to image replicator closed: ${text}`,
        );
      }
      this.#disconnected();
      // A session ended to compare everything again is followed by the next one at once.
      again = end.signal.aborted;
    }
    const now = this.#timers.now();
    const wait = reconnectMs(now - this.#usefulAt, this.#timers.random);
    this.#nextAttempt = now + wait;
    // Not left to the schedule, whose seconds are all the same for a whole fleet.
    if (this.#stop.signal.aborted) return;
    this.#cancelRetry = this.#timers.after(wait, () => {
      this.#nextAttempt = 0;
      void this.#poll();
    });
  }

  #disconnected(): void {
    const now = this.#timers.now();
    if (this.#connectedSince !== undefined) this.#disconnectedSince = now;
    if (this.#state === 'live' || this.#bandwidth.taken > this.#takenBefore) this.#usefulAt = now;
    this.#takenBefore = this.#bandwidth.taken;
    this.#lastFailures = this.#session?.queue.failures() ?? this.#lastFailures;
    this.#state = 'disconnected';
    this.#session = undefined;
    this.#current = undefined;
    this.#connectedSince = undefined;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { images, objects, master, log } = this.#deps;
    const { archiveMode: archive, archiveExpiringImages: archiveExpiring, selects } = this.#config;
    this.#state = 'connecting';
    const link = await master.open(signal);
    this.#state = 'initial';
    this.#connectedSince = this.#timers.now();
    log(`Image replicator: connected to: ${master.address}`);
    void this.#measureClock();
    const now = () => this.#timers.now();
    const fetcher = new ObjectFetcher(link, objects, this.#bandwidth, BATCHES_IN_FLIGHT);
    const session = new Session({
      link,
      images,
      fetch: {
        link,
        images,
        objects,
        fetcher,
        receiving: new Slots(IMAGES_RECEIVED_AT_ONCE),
        memory: new Budget(IMAGE_MEMORY),
        archive,
        archiveExpiring,
        now,
        log,
      },
      guard: this.#guard,
      held: this.#held,
      archive,
      selects,
      injecting: (name) => this.injections.has(name),
      imagesInFlight: IMAGES_IN_FLIGHT,
      timers: this.#timers,
      log,
      onEvent: () => {
        this.#lastEvent = this.#timers.now();
      },
      onComplete: () => {
        this.#state = 'live';
        this.#lastReconciled = this.#timers.now();
        this.#first.resolve();
        void this.#heal();
      },
    });
    this.#session = session;
    this.#current = { fetcher, signal };
    await session.run(signal);
  }

  /** Objects that are damaged here come from the master again. */
  async #heal(): Promise<void> {
    const { objects, log } = this.#deps;
    const current = this.#current;
    if (!current || this.#state !== 'live') return;
    try {
      const healed = await healObjects(objects, current.fetcher, current.signal);
      if (healed > 0) log(`Image replicator: ${healed} damaged or missing objects are whole again`);
    } catch (thrown) {
      if (!current.signal.aborted)
        log(`Image replicator: not all objects could be healed: ${errorLine(asImageServerError(thrown))}`);
    }
  }

  async #measureClock(): Promise<void> {
    const { master, log } = this.#deps;
    const measured = await master.clockSkew(this.#stop.signal).catch(() => undefined);
    if (!measured) return;
    this.#skewMs = measured.skewMs;
    const warning = Math.abs(measured.skewMs) - measured.uncertaintyMs > SKEW_WARNING_MS;
    if (warning && !this.#skewWarning)
      log(
        `Image replicator: the clock of the master is ${(measured.skewMs / 1000).toFixed(1)}s ahead of ours (negative: behind): images expire at different times`,
      );
    this.#skewWarning = warning;
  }
}
