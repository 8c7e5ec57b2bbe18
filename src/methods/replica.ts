/** What a replica refuses. */
import { ImageServerError } from '../errors.ts';
import type { Services } from './services.ts';

/** Throws REPLICA when this server follows a master, with the text the original's clients know. */
export function refuseOnReplica(services: Services): void {
  if (services.master)
    throw new ImageServerError(
      'REPLICA',
      `cannot make changes while under replication control, go to master: ${services.master.address}`,
    );
}
