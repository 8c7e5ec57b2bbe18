/** The live stream that replicas follow: everything there is, an end mark, then every change in its real order. */

import { ImageServerError } from '../errors.ts';
import { streamTurns } from '../shared-turns.ts';
import type { CatalogueEvent } from '../store/types.ts';
import { ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import { listedUpdates } from './listed-updates.ts';
import { defineStream } from './method.ts';
import { listening } from './old-replicas.ts';

/** Events a listener may be behind before it is dropped: it then reconnects and gets the whole list. */
const MAX_BEHIND = 10_000;

const END_OF_LIST: ImageUpdate = Object.freeze({ Name: '', Directory: null, Operation: Operation.AddImage });

/** One update object per event, shared by all listeners, so that the transport encodes it once. */
const updates = new WeakMap<CatalogueEvent, ImageUpdate>();

function updateOf(event: CatalogueEvent): ImageUpdate {
  let update = updates.get(event);
  if (!update) {
    update =
      event.kind === 'mkdir'
        ? { Name: '', Directory: event.directory, Operation: Operation.MakeDirectory }
        : {
            Name: event.name,
            Directory: null,
            Operation:
              event.kind === 'add'
                ? Operation.AddImage
                : event.kind === 'delete'
                  ? Operation.DeleteImage
                  : Operation.DeleteDirectory,
          };
    updates.set(event, update);
  }
  return update;
}

export const getImageUpdates = defineStream({
  name: 'ImageServer.GetImageUpdates',
  summary: 'All directories and images, an empty update, then every change as it happens.',
  public: false,
  unauthenticatedRead: true,
  mutates: false,
  live: true,
  item: ImageUpdate,
  async *handle(services, _request, call) {
    await services.replicated(call.signal);
    await streamTurns.next();
    let behind: CatalogueEvent[] = [];
    let wake: (() => void) | undefined;
    let overrun = false;
    const wakeUp = () => wake?.();
    const unsubscribe = services.images.subscribe((event) => {
      if (behind.length >= MAX_BEHIND) overrun = true;
      else behind.push(event);
      wakeUp();
    });
    call.signal.addEventListener('abort', wakeUp);
    const listener = listening(services, call.peer);
    services.activity.updateListeners++;
    services.log(`New image replication client connected from: ${call.peer}`);
    try {
      const batches = await listedUpdates(services.images);
      for (const batch of batches) yield batch.items.length === 1 ? (batch.items[0] as ImageUpdate) : batch;
      yield END_OF_LIST;
      services.log('Finished sending initial image list to replication client');
      while (!call.signal.aborted) {
        if (overrun) throw new ImageServerError('UNAVAILABLE', 'listener is too far behind');
        if (behind.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
          continue;
        }
        const batch = behind;
        behind = [];
        for (const event of batch) {
          const expired = event.kind === 'delete' && event.expired;
          if (!expired || !listener.expiresByItself(event.name)) yield updateOf(event);
        }
      }
    } finally {
      unsubscribe();
      call.signal.removeEventListener('abort', wakeUp);
      listener.end();
      services.activity.updateListeners--;
    }
  },
});
