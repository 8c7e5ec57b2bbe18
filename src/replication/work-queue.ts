/**
 * What is to be done for each image: the latest wish per name counts, several names at a time, one task per name at a
 * time. A task that fails is retried with back-off and never holds up others.
 */
import { asImageServerError, errorLine } from '../errors.ts';
import { type BackoffRules, backoffMs, IMAGE_RETRY } from './backoff.ts';
import type { Timers } from './timers.ts';

export interface Failure {
  readonly name: string;
  readonly reason: string;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly retryAt: number;
}

export interface WorkQueueOptions<T> {
  /** Names worked on at the same time. */
  readonly concurrency: number;
  readonly run: (name: string, task: T, signal: AbortSignal) => Promise<void>;
  readonly failed: (failure: Failure, thrown: unknown) => void;
  readonly timers: Timers;
  readonly backoff?: BackoffRules;
}

interface Retry<T> extends Failure {
  readonly task: T;
  readonly cancel: () => void;
}

interface Waiting<T> {
  readonly task: T;
  readonly since: number;
}

export class WorkQueue<T> {
  readonly #options: WorkQueueOptions<T>;
  /** Live events before the backlog; a Map keeps the order of arrival. */
  readonly #urgent = new Map<string, Waiting<T>>();
  readonly #backlog = new Map<string, Waiting<T>>();
  readonly #running = new Map<string, number>();
  readonly #retries = new Map<string, Retry<T>>();
  readonly #attempts = new Map<string, { count: number; since: number }>();
  readonly #stop = new AbortController();
  #observers: (() => void)[] = [];

  constructor(options: WorkQueueOptions<T>) {
    this.#options = options;
  }

  /** Names waiting or worked on; failed ones waiting for their retry not counted. */
  get size(): number {
    return this.#urgent.size + this.#backlog.size + this.#running.size;
  }

  /** When the oldest unfinished task was asked for, milliseconds since the epoch; undefined = nothing to do. */
  get oldest(): number | undefined {
    let oldest: number | undefined;
    const see = (since: number | undefined) => {
      if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
    };
    for (const since of this.#running.values()) see(since);
    see(this.#urgent.values().next().value?.since);
    see(this.#backlog.values().next().value?.since);
    return oldest;
  }

  /** Names that failed and wait for a retry. */
  failures(): Failure[] {
    return [...this.#retries.values()].map(({ task: _task, cancel: _cancel, ...failure }) => failure);
  }

  has(name: string): boolean {
    return this.#urgent.has(name) || this.#backlog.has(name) || this.#running.has(name);
  }

  /** Replaces whatever was wished for this name before; what is being done is finished first. */
  push(name: string, task: T, urgency: 'urgent' | 'backlog' = 'backlog'): void {
    if (this.#stop.signal.aborted) return;
    this.#retries.get(name)?.cancel();
    this.#retries.delete(name);
    const since =
      this.#urgent.get(name)?.since ?? this.#backlog.get(name)?.since ?? this.#options.timers.now();
    // Stays in the faster lane once there.
    if (urgency === 'urgent' || this.#urgent.has(name)) {
      this.#backlog.delete(name);
      this.#urgent.set(name, { task, since });
    } else this.#backlog.set(name, { task, since });
    this.#start();
  }

  /** Drops what waits for this name. */
  forget(name: string): void {
    this.#retries.get(name)?.cancel();
    for (const map of [this.#retries, this.#attempts, this.#urgent, this.#backlog]) map.delete(name);
    this.#changed();
  }

  /** Resolves when nothing that `concerns` accepts is waiting or running (failed ones do not count), or on stop. */
  settled(concerns?: (name: string) => boolean): Promise<void> {
    const busy = () => {
      if (this.#stop.signal.aborted) return false;
      if (!concerns) return this.size > 0;
      return [this.#urgent, this.#backlog, this.#running].some((names) => [...names.keys()].some(concerns));
    };
    return new Promise((resolve) => {
      const look = () => {
        if (busy()) this.#observers.push(look);
        else resolve();
      };
      look();
    });
  }

  /** Aborts what runs, drops what waits; resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const retry of this.#retries.values()) retry.cancel();
    for (const map of [this.#retries, this.#urgent, this.#backlog]) map.clear();
    this.#changed();
    if (this.#running.size > 0)
      await new Promise<void>((resolve) => {
        const look = () => {
          if (this.#running.size > 0) this.#observers.push(look);
          else resolve();
        };
        look();
      });
  }

  #changed(): void {
    const observers = this.#observers;
    this.#observers = [];
    for (const observer of observers) observer();
  }

  #start(): void {
    for (const lane of [this.#urgent, this.#backlog])
      for (const [name, { task, since }] of lane) {
        if (this.#running.size >= this.#options.concurrency) return;
        if (this.#running.has(name)) continue;
        lane.delete(name);
        this.#running.set(name, since);
        void this.#work(name, task);
      }
  }

  async #work(name: string, task: T): Promise<void> {
    const { signal } = this.#stop;
    try {
      await this.#options.run(name, task, signal);
      this.#attempts.delete(name);
    } catch (thrown) {
      if (!signal.aborted) this.#fail(name, task, thrown);
    }
    this.#running.delete(name);
    if (!signal.aborted) this.#start();
    this.#changed();
  }

  #fail(name: string, task: T, thrown: unknown): void {
    const { timers, backoff = IMAGE_RETRY, failed } = this.#options;
    const now = timers.now();
    const before = this.#attempts.get(name);
    const attempts = (before?.count ?? 0) + 1;
    const since = before?.since ?? now;
    this.#attempts.set(name, { count: attempts, since });
    const wait = backoffMs(backoff, attempts - 1, timers.random);
    const failure = {
      name,
      reason: errorLine(asImageServerError(thrown)),
      attempts,
      since,
      retryAt: now + wait,
    };
    // A newer wish for the name makes the retry pointless.
    if (!this.#urgent.has(name) && !this.#backlog.has(name)) {
      const cancel = timers.after(wait, () => {
        this.#retries.delete(name);
        this.push(name, task);
      });
      this.#retries.set(name, { ...failure, task, cancel });
    }
    failed(failure, thrown);
  }
}
