/**
 * Replicas of the original among the listeners of GetImageUpdates. They expire images by themselves, are never told of
 * it by their own kind of master, and end their session at the deletion of an image they do not have (any more). They
 * are known by what they do: in a session they ask for every image that expires, either for its expiration or for the
 * image with a timeout of 60 s, which nobody else does, or pass on the upload of it.
 */
import type { Call } from './method.ts';
import type { Services } from './services.ts';

const TIMEOUT = 60_000_000_000n;

/** By peer address: how many listen, and which expiring images were asked for meanwhile. */
interface Peer {
  listeners: number;
  readonly asked: Set<string>;
}
const peersOf = new WeakMap<Services['images'], Map<string, Peer>>();

function peers({ images }: Services): Map<string, Peer> {
  let known = peersOf.get(images);
  if (!known) {
    known = new Map();
    peersOf.set(images, known);
  }
  return known;
}

/** A peer begins to listen; `end` when it has gone. */
export function listening(services: Services, address: string) {
  const known = peers(services);
  const peer = known.get(address) ?? { listeners: 0, asked: new Set() };
  known.set(address, peer);
  peer.listeners++;
  return {
    /** Is the peer one that expires this image by itself and must not be told? */
    expiresByItself: (name: string) => peer.asked.has(name),
    end() {
      if (--peer.listeners === 0) known.delete(address);
    },
  };
}

/** Called when an image was asked for; `timeout` undefined = its expiration was, or the image came from there. */
export function askedFor(services: Services, call: Call, name: string, timeout?: bigint): void {
  if (call.transport !== 'srpc' || (timeout !== undefined && timeout !== TIMEOUT)) return;
  const peer = peers(services).get(call.peer);
  if (!peer) return;
  // Names that are gone need not be remembered: bounded by what expires.
  if (peer.asked.size > 2 * services.images.size)
    for (const one of peer.asked) if (!services.images.has(one)) peer.asked.delete(one);
  peer.asked.add(name);
}
