/** The live stream that replicas follow: everything there is, an end mark, then every change in its real order. */

import { ImageServerError } from '../errors.ts';
import type { CatalogueEvent, ImageEntry } from '../store/types.ts';
import type { Directory } from '../wire/messages/image.ts';
import { ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import { defineStream } from './method.ts';
import { listening } from './old-replicas.ts';

/** Events a listener may be behind before it is dropped: it then reconnects and gets the whole list. */
const MAX_BEHIND = 10_000;

const END_OF_LIST: ImageUpdate = Object.freeze({ Name: '', Directory: null, Operation: Operation.AddImage });

/** One update object per event, shared by all listeners, so that the transport encodes it once. */
const updates = new WeakMap<CatalogueEvent, ImageUpdate>();

/** The same for what the list names: when a fleet comes back at once, its lists are the same. */
const listed = new WeakMap<ImageEntry | Directory, ImageUpdate>();

function listedUpdateOf(what: ImageEntry | Directory): ImageUpdate {
  let update = listed.get(what);
  if (!update) {
    update =
      'Metadata' in what
        ? { Name: '', Directory: what, Operation: Operation.MakeDirectory }
        : { Name: what.name, Directory: null, Operation: Operation.AddImage };
    listed.set(what, update);
  }
  return update;
}

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
      const entries = [...services.images.entries()];
      for (const directory of services.images.directories()) yield listedUpdateOf(directory);
      for (const entry of entries) yield listedUpdateOf(entry);
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
