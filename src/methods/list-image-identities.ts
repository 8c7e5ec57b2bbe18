import type { ImageEntry } from '../store/types.ts';
import { ImageIdentity } from '../wire/messages/extensions.ts';
import { ZERO_TIME } from '../wire/time.ts';
import { defineStream } from './method.ts';

const END: ImageIdentity = Object.freeze({
  Name: '',
  Identity: '',
  CreatedOn: ZERO_TIME,
  CreatedBy: '',
  ExpiresAt: ZERO_TIME,
});

const identityOf = (entry: ImageEntry): ImageIdentity => ({
  Name: entry.name,
  Identity: entry.identity,
  CreatedOn: entry.createdOn,
  CreatedBy: entry.createdBy,
  ExpiresAt: entry.expiresAt,
});

export const listImageIdentities = defineStream({
  name: 'ImageServer.ListImageIdentities',
  summary: 'Which version of each image is here: replicas compare everything in one call.',
  public: false,
  unauthenticatedRead: true,
  mutates: false,
  live: false,
  item: ImageIdentity,
  end: END,
  *handle(services) {
    for (const entry of [...services.images.entries()]) yield identityOf(entry);
    // Damaged here, so replicas shall keep theirs.
    for (const Name of services.images.unreadable()) yield { ...END, Name };
  },
});
