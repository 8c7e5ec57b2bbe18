/** A connection that is given up when the server stays silent for too long: no command hangs for ever. */
import { ImageServerError } from '../errors.ts';
import { formatDuration } from '../flags/values.ts';
import type { ClientChannel, SrpcClient } from '../srpc/client.ts';
import type { Schema, StructSchema, ValueOf } from '../wire/schema.ts';

/** Pieces in which files are sent, so that each shows that the server still takes them. */
const SEND_PIECE = 8 * 1024 * 1024;

export interface WatchedChannel extends ClientChannel {
  /** As `receive`, but the server may take its time: it owes nothing yet. */
  receiveSometime<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined>;
}

export class WatchedClient implements SrpcClient {
  /** `idleMs`: longest silence; 0 = wait for ever. `where`: for the message. */
  constructor(
    readonly client: SrpcClient,
    readonly idleMs: number,
    readonly where: string,
  ) {}

  get closed(): boolean {
    return this.client.closed;
  }
  close(): void {
    this.client.close();
  }
  ping(): Promise<void> {
    return this.watch(this.client.ping());
  }
  call<Q extends StructSchema, R extends StructSchema>(
    method: string,
    request: Q,
    reply: R,
    value: ValueOf<Q>,
  ): Promise<ValueOf<R>> {
    // The server itself may be asked to wait for something.
    const asked = (value as { Timeout?: bigint }).Timeout ?? 0n;
    return this.watch(this.client.call(method, request, reply, value), Number(asked / 1_000_000n));
  }
  async open(method: string): Promise<WatchedChannel> {
    const channel = await this.watch(this.client.open(method));
    const within = <T>(work: T | Promise<T>) => (work instanceof Promise ? this.watch(work) : work);
    return {
      receive: <S extends Schema>(schema: S) => within(channel.receive(schema)),
      receiveSometime: <S extends Schema>(schema: S) => channel.receive(schema),
      send: (schema, value) => within(channel.send(schema, value)),
      write: (data) => within(channel.write(data)),
      sendFile({ fd, size }, offset = 0) {
        const send = (at: number) =>
          within(channel.sendFile({ fd, size: Math.min(SEND_PIECE, size - at) }, offset + at));
        if (size <= SEND_PIECE) return send(0);
        return (async () => {
          for (let at = 0; at < size; at += SEND_PIECE) await send(at);
        })();
      },
      flush: async () => within(channel.flush()),
      async *bytes(length) {
        const pieces = channel.bytes(length)[Symbol.asyncIterator]();
        for (;;) {
          const piece = await within(pieces.next());
          if (piece.done) return;
          yield piece.value;
        }
      },
      take: (length) => within(channel.take(length)),
      readLine: async () => within(channel.readLine()),
      messages: channel.messages,
      end: () => channel.end(),
    };
  }

  /** Waits for `work`; gives the connection up when neither it nor `progress` moves for the time allowed. */
  async watch<T>(work: Promise<T>, extraMs = 0, progress: () => number = () => 0): Promise<T> {
    if (this.idleMs === 0) return work;
    let late = false;
    let seen = progress();
    const look = () => {
      const now = progress();
      late = now === seen;
      seen = now;
      if (late) this.client.close();
      else timer = setTimeout(look, this.idleMs + extraMs);
    };
    let timer = setTimeout(look, this.idleMs + extraMs);
    try {
      return await work;
    } catch (cause) {
      if (!late) throw cause;
      const span = formatDuration(BigInt(this.idleMs) * 1_000_000n);
      throw new ImageServerError('TIMEOUT', `nothing from ${this.where} for ${span}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
