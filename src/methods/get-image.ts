import type { ImageEntry } from '../store/types.ts';
import { getImageReply } from '../wire/encoded-image.ts';
import { type ReplyPart, replyParts } from '../wire/image-reply.ts';
import { GetImageRequest, GetImageResponse } from '../wire/messages/imageserver.ts';
import { isZeroTime } from '../wire/time.ts';
import { type Call, defineUnary, Prepared, type PreparedGob } from './method.ts';
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

/** Parts of the replies sent before, by identity: they do not change. */
const parts = new Map<string, readonly ReplyPart[]>();
const MAX_KEPT = 2000;

/** The file itself goes out where that is possible; nothing of it is kept in memory. */
async function storedReply({ images }: Services, entry: ImageEntry): Promise<PreparedGob> {
  const { name, identity } = entry;
  const kept = parts.get(identity) ?? (await images.inspect(name, replyParts));
  // Replaced meanwhile: the parts may be those of another image.
  const file = images.get(name) === entry ? images.openFile(name, identity) : undefined;
  if (!file) return { parts: getImageReply((await images.read(name)).bytes) };
  parts.delete(identity);
  parts.set(identity, kept);
  if (parts.size > MAX_KEPT) parts.delete(parts.keys().next().value as string);
  return { parts: kept, file };
}

function reply(services: Services, entry: ImageEntry, withoutTree: boolean, signal: AbortSignal) {
  const { name } = entry;
  if (withoutTree) return services.images.header(name).then((image) => ({ Image: image }));
  return new Prepared(
    () => storedReply(services, entry),
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
