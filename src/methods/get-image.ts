import type { ImageEntry } from '../store/types.ts';
import { getImageReply } from '../wire/encoded-image.ts';
import { GetImageRequest, GetImageResponse } from '../wire/messages/imageserver.ts';
import { isZeroTime } from '../wire/time.ts';
import { type Call, defineUnary, Prepared } from './method.ts';
import { askedFor } from './old-replicas.ts';
import type { Services } from './services.ts';

/** Longest time a caller may wait for an image, milliseconds (a day). */
const MAX_WAIT_MS = 86_400_000;

/** Resolves when the image is there, the time is over or the caller has gone. */
function waitForImage(services: Services, name: string, timeoutMs: number, call: Call): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      clearTimeout(timer);
      call.signal.removeEventListener('abort', done);
      resolve();
    };
    const unsubscribe = services.images.subscribe((event) => {
      if (event.kind === 'add' && event.name === name) done();
    });
    const timer = setTimeout(done, Math.min(timeoutMs, MAX_WAIT_MS));
    call.signal.addEventListener('abort', done, { once: true });
    // Added between the first look and the subscription, or the caller is gone already.
    if (services.images.has(name) || call.signal.aborted) done();
  });
}

function reply(services: Services, entry: ImageEntry, withoutTree: boolean, signal: AbortSignal) {
  const { name } = entry;
  if (withoutTree) return services.images.header(name).then((image) => ({ Image: image }));
  return new Prepared(
    async () => getImageReply((await services.images.read(name)).bytes),
    async () => {
      const tree = await services.images.tree(name, signal);
      return { value: { Image: tree.image }, use: () => tree.use() };
    },
  );
}

export const getImage = defineUnary({
  name: 'ImageServer.GetImage',
  summary: 'Fetches an image, with or without its file-system; optionally waits for it to be added.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: GetImageRequest,
  reply: GetImageResponse,
  async handle(services, request, call) {
    const name = request.ImageName;
    await services.images.pending(name);
    let entry = services.images.get(name);
    if (!entry && request.Timeout > 0n) {
      await waitForImage(services, name, Number(request.Timeout / 1_000_000n), call);
      entry = services.images.get(name);
    }
    if (!entry) return { Image: null };
    if (!isZeroTime(entry.expiresAt)) askedFor(services, call, name, request.Timeout);
    const withoutTree =
      request.IgnoreFilesystem || (request.IgnoreFilesystemIfExpiring && !isZeroTime(entry.expiresAt));
    return reply(services, entry, withoutTree, call.signal);
  },
});
