/**
 * What a method is. Each RPC method is one file that exports one of these; `table.ts` lists them all, and every
 * transport (SRPC/gob, SRPC/JSON, HTTP JSON RPC), the documentation, the metrics and the permission check are driven by
 * that table. Handlers know nothing of transports.
 */
import type { Identity } from '../access/identity.ts';
import type { ImageServerError } from '../errors.ts';
import type { EncodedImage, ImageFile, ObjectReader } from '../store/types.ts';
import type { ReplyPart } from '../wire/image-reply.ts';
import type { Schema, StructSchema, ValueOf } from '../wire/schema.ts';
import type { Services } from './services.ts';

/** What a handler knows about one call. */
export interface Call {
  readonly identity: Identity;
  /** The certificate grants this very method (or the server is insecure): ownership is not checked. */
  readonly methodAccess: boolean;
  /** Address of the peer without port. */
  readonly peer: string;
  readonly transport: 'srpc' | 'http';
  /** Aborted when the caller goes away or the server stops. */
  readonly signal: AbortSignal;
  /** Set by handlers: what the call was about (image or directory name), for the audit log. */
  subject: string;
  /** Set by handlers that report a failure inside their reply, for the audit log and HTTP statuses. */
  failure?: ImageServerError;
}

interface Common {
  /** `Service.Method`. */
  readonly name: string;
  /** One line for the documentation. */
  readonly summary: string;
  /** Any valid certificate may call it (ownership rules may follow). */
  readonly public: boolean;
  /** Needs no identity with -allowUnauthenticatedReads. */
  readonly unauthenticatedRead: boolean;
  /** Changes something: leaves an audit line. */
  readonly mutates: boolean;
}

/** A reply that looks into a tree: `use` is called before each run of work on it, see `ImageTree`. */
export interface PreparedValue {
  readonly value: unknown;
  use(): void | Promise<void>;
}

/** A reply in parts, of which some are in a file; it is to be closed. */
export interface PreparedGob {
  readonly parts: readonly ReplyPart[];
  /** Undefined: there are none in a file. */
  readonly file?: ImageFile | undefined;
}

/** A reply whose gob form exists already (stored images): `gob` for the gob coder, `value` for JSON. */
export class Prepared {
  constructor(
    readonly gob: () => PreparedGob | Promise<PreparedGob>,
    readonly value: () => PreparedValue | Promise<PreparedValue>,
  ) {}
}

/** One request, one reply. May answer synchronously: the fast path makes no promise. */
export interface UnaryMethod<Q = unknown, R = unknown> extends Common {
  readonly shape: 'unary';
  readonly request: StructSchema<Q>;
  readonly reply: StructSchema<R>;
  handle(services: Services, request: Q, call: Call): R | Prepared | Promise<R | Prepared>;
}

/** AddImage and AddImageTrusted: the image stays encoded on its way from the wire to the disk. */
export interface ImageUploadMethod<R = unknown> extends Common {
  readonly shape: 'imageUpload';
  /** For documentation and the JSON coders, which encode the decoded image first. */
  readonly request: StructSchema;
  readonly reply: StructSchema<R>;
  handle(
    services: Services,
    request: { ImageName: string; image: EncodedImage | null },
    call: Call,
  ): Promise<R>;
}

/** Values of a live stream that are sent in one piece; not changed any more. */
export class Batch<I> {
  constructor(readonly items: readonly I[]) {}
}

/** A stream of values from the server. `end` is sent after the last item. */
export interface StreamMethod<Q = unknown, I = unknown> extends Common {
  readonly shape: 'stream';
  /** Undefined: the client sends nothing. */
  readonly request?: StructSchema<Q>;
  readonly item: StructSchema<I>;
  /** What tells the SRPC client that the list is over; undefined for streams that never end. */
  readonly end?: I;
  /** True if every item must reach the client at once (live events) instead of when a buffer is full. */
  readonly live: boolean;
  /**
   * Values yielded may be shared between callers: the transport may cache their encoding by identity. Only live streams
   * yield batches, and not as the first.
   */
  handle(services: Services, request: Q, call: Call): AsyncIterable<I | Batch<I>> | Iterable<I>;
}

/** ListImages: raw text lines over SRPC with both coders; an array of names over HTTP. */
export interface LinesMethod extends Common {
  readonly shape: 'lines';
  /** All lines including the final empty one, ready to send. */
  handle(services: Services, call: Call): Uint8Array;
}

/**
 * Logger.Watch: a reply that tells whether the request is good, then text without end. `handle` throws at once what is
 * wrong with the request;
 */
export interface TextStreamMethod<Q = unknown> extends Common {
  readonly shape: 'text';
  readonly request: StructSchema<Q>;
  readonly reply: StructSchema<{ Error: string }>;
  handle(services: Services, request: Q, call: Call): TextStream;
}

export interface TextStream {
  /** Whole lines. */
  readonly lines: AsyncIterable<string>;
  /** Aborted, with the error that `lines` throws next, when the listener is too far behind. */
  readonly overrun: AbortSignal;
}

/** Values and raw bytes mixed as the method defines: AddObjects, GetObjects, TestBandwidth. */
export interface ChannelMethod extends Common {
  readonly shape: 'channel';
  readonly request: StructSchema;
  readonly reply: StructSchema;
  handle(services: Services, channel: Channel, call: Call): Promise<void>;
}

/** Largest piece that is gathered with others, bytes. */
export const GATHERED = 32 * 1024;

/** What a channel method sees of its connection. */
export interface Channel {
  /** Next value from the client, at once if it is here already; undefined if the client closed between values. */
  receive<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined>;
  /**
   * The next `length` raw bytes. Small runs come as one chunk. Each chunk is only valid until the next is asked for.
   * Must be consumed wholly; throws `unexpected EOF` if the client closes before.
   */
  bytes(length: number): AsyncIterable<Uint8Array>;
  /** Like `bytes` for a run that fits in memory; at once if it is here already. */
  take(length: number): Uint8Array | Promise<Uint8Array>;
  /** Buffered; resolves when more may be sent. */
  send<S extends Schema>(schema: S, value: ValueOf<S>): void | Promise<void>;
  write(data: Uint8Array): void | Promise<void>;
  /** Sends an object's bytes the cheapest way (sendfile on plain sockets). */
  sendObject(object: ObjectReader): Promise<void>;
  /**
   * Of channels that gather small pieces: `fill` is called at once to put `length` bytes (at most `GATHERED`) into the
   * buffer at the offset; one byte more is free there, for whoever reads to see that there is not more. Nothing is sent
   * if it throws.
   */
  gather?(length: number, fill: (into: Uint8Array, at: number) => void): void | Promise<void>;
  flush(): Promise<void>;
}

// The table holds methods of every message type.
// biome-ignore lint/suspicious/noExplicitAny: no other type stands for all of them
type Any = any;
export type Method =
  | UnaryMethod<Any, Any>
  | ImageUploadMethod<Any>
  | StreamMethod<Any, Any>
  | LinesMethod
  | TextStreamMethod<Any>
  | ChannelMethod;

/** Declares a unary method with its message types inferred from the schemas. */
export function defineUnary<QS extends StructSchema, RS extends StructSchema>(
  method: Omit<UnaryMethod<ValueOf<QS>, ValueOf<RS>>, 'shape' | 'request' | 'reply'> & {
    request: QS;
    reply: RS;
  },
): UnaryMethod<ValueOf<QS>, ValueOf<RS>> {
  return { ...method, shape: 'unary' } as UnaryMethod<ValueOf<QS>, ValueOf<RS>>;
}

/** Declares a stream method. */
export function defineStream<IS extends StructSchema>(
  method: Omit<StreamMethod<undefined, ValueOf<IS>>, 'shape' | 'item'> & { item: IS },
): StreamMethod<undefined, ValueOf<IS>> {
  return { ...method, shape: 'stream' } as StreamMethod<undefined, ValueOf<IS>>;
}
