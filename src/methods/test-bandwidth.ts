import { ImageServerError } from '../errors.ts';
import { TestBandwidthRequest, TestBandwidthResponse } from '../wire/messages/objectserver.ts';
import type { Channel, ChannelMethod } from './method.ts';

const MAX_CHUNK = 65535;
const SECOND = 1_000_000_000n;
const MORE = 1;
const LAST = 0;

/** Chunks of `size` bytes, each followed by a mark, until the client sends the mark of the last one. */
async function receiveChunks(channel: Channel, size: number): Promise<void> {
  for (;;) {
    const chunk = await channel.take(size + 1);
    if (chunk[size] === LAST) return;
  }
}

async function sendChunks(channel: Channel, size: number, until: number, signal: AbortSignal): Promise<void> {
  const chunk = new Uint8Array(size + 1);
  chunk[size] = MORE;
  while (performance.now() < until && !signal.aborted) await channel.write(chunk);
  const last = new Uint8Array(size + 1);
  last[size] = LAST;
  await channel.write(last);
}

export const testBandwidth: ChannelMethod = {
  shape: 'channel',
  name: 'ObjectServer.TestBandwidth',
  summary: 'Measures the network: chunks of zeros to or from the server for a given time.',
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: TestBandwidthRequest,
  reply: TestBandwidthResponse,
  async handle(_services, channel, call) {
    const request = await channel.receive(TestBandwidthRequest);
    if (!request) return;
    if (request.ChunkSize > MAX_CHUNK)
      throw new ImageServerError('INVALID_REQUEST', `chunk size above ${MAX_CHUNK}`);
    const start = performance.now();
    if (request.SendToServer) await receiveChunks(channel, request.ChunkSize);
    else {
      const wanted = request.Duration < SECOND ? SECOND : request.Duration;
      const capped = wanted > 60n * SECOND ? 60n * SECOND : wanted;
      await sendChunks(channel, request.ChunkSize, start + Number(capped / 1_000_000n), call.signal);
    }
    const elapsed = BigInt(Math.round((performance.now() - start) * 1e6));
    await channel.send(TestBandwidthResponse, { ServerDuration: elapsed });
    await channel.flush();
  },
};
