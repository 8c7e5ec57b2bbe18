/**
 * One session with the master: its complete list, what follows from it, then its changes as they come. The stream is
 * always read on; images are worked on beside it, the latest wish per name counts.
 */
import { asImageServerError, errorLine, ImageServerError } from '../errors.ts';
import type { ImageStore } from '../store/types.ts';
import type { Directory } from '../wire/messages/image.ts';
import { type ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import type { DeletionGuard } from './deletion-guard.ts';
import { type FetchImageOptions, fetchImage } from './fetch-image.ts';
import type { HeldDeletions } from './held-deletions.ts';
import type { MasterLink } from './master-link.ts';
import { planReconcile } from './plan.ts';
import type { Timers } from './timers.ts';
import { type Failure, WorkQueue } from './work-queue.ts';

export interface SessionOptions {
  readonly link: MasterLink;
  readonly images: ImageStore;
  readonly fetch: FetchImageOptions;
  readonly guard: DeletionGuard;
  readonly held: HeldDeletions;
  readonly archive: boolean;
  /** Is this image to be replicated at all? */
  readonly selects: (name: string) => boolean;
  /** An upload of this image is being passed on to the master at the moment. */
  readonly injecting: (name: string) => boolean;
  readonly imagesInFlight: number;
  readonly timers: Timers;
  readonly log: (line: string) => void;
  /** Any sign of life from the stream. */
  readonly onEvent: () => void;
  /** The list is complete and everything that followed from it has been tried. */
  readonly onComplete: () => void;
}

type Task = 'look' | 'delete' | 'delete-missing';

export class Session {
  readonly #options: SessionOptions;
  readonly queue: WorkQueue<Task>;
  readonly #listed = new Set<string>();
  readonly #listedDirectories = new Set<string>();
  /** Names that changed since the session began, at the master or through an upload here. */
  readonly #touched = new Set<string>();
  #listComplete = false;
  #planned = false;
  #failure: unknown;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.queue = new WorkQueue<Task>({
      concurrency: options.imagesInFlight,
      timers: options.timers,
      run: (name, task, signal) => this.#work(name, task, signal),
      failed: (failure, thrown) => this.#failed(failure, thrown),
    });
  }

  /** True once the master's list has been compared with what is here. */
  get reconciled(): boolean {
    return this.#planned;
  }

  /** An image that was added here through an upload: the list may be older than it. */
  touch(name: string): void {
    this.#touched.add(name);
  }

  /** Look at the image again, e.g. after an upload that reached the master but failed here. */
  look(name: string): void {
    this.queue.push(name, 'look', 'urgent');
  }

  /** Follows the master until the stream ends; rejects with what went wrong. */
  async run(signal: AbortSignal): Promise<void> {
    const { link, onEvent } = this.#options;
    const ending = new AbortController();
    const both = AbortSignal.any([signal, ending.signal]);
    let finishing: Promise<void> = Promise.resolve();
    try {
      for await (const update of link.updates(both)) {
        if (signal.aborted) return;
        onEvent();
        if (update.Operation === Operation.AddImage && update.Name === '') {
          if (this.#listComplete) continue;
          this.#listComplete = true;
          finishing = this.#finishList(both).catch((thrown: unknown) => {
            this.#failure = thrown;
            ending.abort();
          });
        } else await this.#follow(update);
      }
      if (this.#failure) throw this.#failure;
    } catch (thrown) {
      throw this.#failure ?? thrown;
    } finally {
      ending.abort();
      link.close();
      await Promise.all([this.queue.stop(), finishing]);
    }
  }

  async #follow(update: ImageUpdate): Promise<void> {
    const { images, selects, injecting, held, archive } = this.#options;
    switch (update.Operation) {
      case Operation.AddImage:
        if (update.Name.endsWith('~')) {
          this.#options.log(`Replicator(${update.Name}): ignored: what a crash of the master has left`);
          return;
        }
        if (!selects(update.Name)) return;
        held.drop(update.Name);
        if (!this.#listComplete) {
          this.#listed.add(update.Name);
          // What is here already is compared when the list is complete, all in one go if the master can do that.
          if (images.has(update.Name) || injecting(update.Name)) return;
          this.queue.push(update.Name, 'look');
          return;
        }
        this.#touched.add(update.Name);
        this.#listed.add(update.Name);
        if (!injecting(update.Name)) this.queue.push(update.Name, 'look', 'urgent');
        return;
      case Operation.DeleteImage:
        this.#touched.add(update.Name);
        this.#listed.delete(update.Name);
        if (!archive) this.queue.push(update.Name, 'delete', 'urgent');
        return;
      case Operation.MakeDirectory:
        if (!update.Directory) throw new ImageServerError('CORRUPT', 'nil imageUpdate.Directory');
        this.#listedDirectories.add(update.Directory.Name);
        return this.#directory(update.Directory);
      case Operation.DeleteDirectory:
        this.#listedDirectories.delete(update.Name);
        // Not waited for: the stream is read on.
        if (!archive) void this.#removeDirectory(update.Name);
    }
  }

  async #directory({ Name: name, Metadata: { OwnerGroup: group } }: Directory): Promise<void> {
    const { images, log } = this.#options;
    try {
      if (!images.hasDirectory(name)) {
        await images.makeDirectory(name, group);
        log(`Replicator(${name}): mkdir`);
      }
      // The parent's group may have been inherited.
      if ((images.ownerGroup(name) ?? '') !== group) await images.setOwnerGroup(name, group);
    } catch (thrown) {
      // A directory that cannot be made here costs its own images, not those of others.
      log(`Replicator(${name}): error making directory: ${errorLine(asImageServerError(thrown))}`);
    }
  }

  async #removeDirectory(name: string): Promise<void> {
    const { images, log } = this.#options;
    if (!images.hasDirectory(name)) return;
    await this.queue.settled((image) => image.startsWith(`${name}/`));
    // Made again meanwhile.
    if (this.#listedDirectories.has(name)) return;
    try {
      await images.removeDirectory(name);
      log(`Replicator(${name}): rmdir`);
    } catch (thrown) {
      log(`Replicator(${name}): directory is kept: ${errorLine(asImageServerError(thrown))}`);
    }
  }

  async #finishList(signal: AbortSignal): Promise<void> {
    const { link, images, guard, held, archive, timers, log, onComplete } = this.#options;
    const started = timers.now();
    const identities = images.size > 0 ? await link.identities(signal) : undefined;
    if (signal.aborted) return;
    const plan = planReconcile({
      listed: this.#listed,
      listedDirectories: this.#listedDirectories,
      here: images.entries(),
      directoriesHere: images.directories().map(({ Name }) => Name),
      identities,
      touched: this.#touched,
    });
    for (const name of plan.look) if (!this.#options.injecting(name)) this.queue.push(name, 'look');
    const gone = plan.gone.filter((name) => !this.#options.injecting(name));
    if (!archive) {
      held.keepOnly(new Set(gone));
      const reason = guard.judgeList(gone.length, images.size, this.#listed.size);
      if (reason) {
        for (const name of gone) held.hold(name, reason, timers.now());
        log(`Replicator: ${gone.length} deletions are held back: ${reason}`);
      } else for (const name of gone) this.queue.push(name, 'delete-missing');
    }
    await this.queue.settled();
    if (signal.aborted) return;
    if (!archive && held.list().length === 0)
      for (const directory of plan.directoriesGone) await this.#removeDirectory(directory);
    if (signal.aborted) return;
    this.#planned = true;
    log(`Replicated all current images in ${((timers.now() - started) / 1000).toFixed(3)}s`);
    onComplete();
  }

  async #work(name: string, task: Task, signal: AbortSignal): Promise<void> {
    if (this.#options.injecting(name)) return;
    if (task === 'look') {
      const outcome = await fetchImage(this.#options.fetch, name, signal);
      if (outcome === 'gone') this.#options.log(`Replicator(${name}): no longer on the master`);
    } else await this.#delete(name, task);
  }

  async #delete(name: string, task: Task): Promise<void> {
    const { images, guard, held, timers, log } = this.#options;
    if (!images.has(name)) return;
    const reason = task === 'delete' ? guard.judgeEvent(images.size) : undefined;
    if (reason) {
      if (held.list().length === 0) log(`Replicator: deletions are held back: ${reason}`);
      held.hold(name, reason, timers.now());
      return;
    }
    try {
      await images.remove(name, { by: 'replication' });
    } catch (thrown) {
      // It expired or was deleted meanwhile.
      if (!(thrown instanceof ImageServerError) || thrown.code !== 'IMAGE_NOT_FOUND') throw thrown;
    }
    guard.record();
    held.drop(name);
    log(`Replicator(${name}): ${task === 'delete' ? 'delete image' : 'delete missing image'}`);
  }

  #failed(failure: Failure, thrown: unknown): void {
    // One that fails for days does not fill the log: its 1st, 2nd, 4th, 8th ... failure is told.
    if ((failure.attempts & (failure.attempts - 1)) !== 0) return;
    const cause = (thrown as { cause?: unknown } | null)?.cause ?? '';
    const detail = cause instanceof Error ? ` (${cause.message})` : '';
    this.#options.log(
      `Replicator(${failure.name}): attempt ${failure.attempts} failed: ${failure.reason}${detail}, next in ${((failure.retryAt - this.#options.timers.now()) / 1000).toFixed(1)}s`,
    );
  }
}
