/** Uploads to a replica go to its master first ("injection"), so that the two never differ. */
import { ImageServerError } from '../errors.ts';
import type { Call, Channel } from '../methods/method.ts';
import type { Master, Services } from '../methods/services.ts';
import type { EncodedImage } from '../store/types.ts';
import { injectObjects } from './inject-objects.ts';
import type { MasterPort } from './master-link.ts';

export interface InjectionHooks {
  /** An image was added here: the master's list may be older than it. */
  readonly added: (name: string) => void;
  /** The master has the image, but it could not be added here. */
  readonly failedHere: (name: string) => void;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
}

export class Injections implements Master {
  readonly #port: MasterPort;
  readonly #hooks: InjectionHooks;
  /** Number of uploads in progress for each name. */
  readonly #names = new Map<string, number>();

  constructor(port: MasterPort, hooks: InjectionHooks) {
    this.#port = port;
    this.#hooks = hooks;
  }

  get address(): string {
    return this.#port.address;
  }

  /** Is an upload of this image on its way to the master? The stream's news about it are then skipped. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  async injectImage(name: string, image: EncodedImage, commit: () => Promise<void>): Promise<void> {
    this.#names.set(name, (this.#names.get(name) ?? 0) + 1);
    let atMaster = false;
    let here = false;
    try {
      const connection = await this.#port.dial(this.#hooks.signal);
      try {
        await connection.addImage(name, image);
        atMaster = true;
      } finally {
        connection.close();
      }
      await commit();
      here = true;
    } finally {
      const left = (this.#names.get(name) ?? 1) - 1;
      if (left > 0) this.#names.set(name, left);
      else this.#names.delete(name);
      if (here) this.#hooks.added(name);
      else if (atMaster) this.#hooks.failedHere(name);
    }
  }

  injectObjects(services: Services, channel: Channel, call: Call): Promise<void> {
    return injectObjects(this.#port, services, channel, call);
  }

  /**
   * Refused: the master would judge by the replica's certificate instead of the caller's, and doing it here alone
   * would make the two diverge.
   */
  async chownDirectory(): Promise<void> {
    throw new ImageServerError(
      'REPLICA',
      `cannot make changes while under replication control, go to master: ${this.address}`,
    );
  }
}
