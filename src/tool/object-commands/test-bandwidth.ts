/** How fast chunks of zeros go to the server and come from it. */
import { ImageServerError } from '../../errors.ts';
import { formatBytes, formatSpan } from '../../image/format.ts';
import type { ClientChannel } from '../../srpc/client.ts';
import { TestBandwidthRequest, TestBandwidthResponse } from '../../wire/messages/objectserver.ts';
import type { Command, Context } from '../command.ts';

/** A chunk is followed by one of these marks. */
const LAST = 0;
const MORE = 1;
const MAX_CHUNK = 65_535;

/** Bytes sent until the time is over. */
async function sendChunks(channel: ClientChannel, size: number, durationMs: number): Promise<number> {
  const chunk = new Uint8Array(size + 1);
  chunk[size] = MORE;
  let sent = 0;
  for (const until = performance.now() + durationMs; performance.now() < until; sent += size)
    await channel.write(chunk);
  chunk[size] = LAST;
  await channel.write(chunk);
  await channel.flush();
  return sent + size;
}

/** Bytes received until the server says that it was the last chunk. */
async function receiveChunks(channel: ClientChannel, size: number): Promise<number> {
  for (let received = 0; ; ) {
    const chunk = await channel.take(size + 1);
    received += size;
    if (chunk[size] === LAST) return received;
  }
}

async function test(context: Context, toServer: boolean): Promise<number> {
  const { chunkSize, testDuration } = context.flags;
  if (chunkSize > MAX_CHUNK)
    throw new ImageServerError('INVALID_REQUEST', `chunk size ${chunkSize} is above ${MAX_CHUNK}`);
  const client = await context.client();
  const channel = await client.open('ObjectServer.TestBandwidth');
  const start = performance.now();
  await channel.send(TestBandwidthRequest, {
    Duration: testDuration,
    ChunkSize: chunkSize,
    SendToServer: toServer,
  });
  await channel.flush();
  const bytes = toServer
    ? await sendChunks(channel, chunkSize, Number(testDuration / 1_000_000n))
    : await receiveChunks(channel, chunkSize);
  const reply = await channel.receive(TestBandwidthResponse);
  if (!reply) throw new ImageServerError('UNAVAILABLE', 'EOF');
  const taken = BigInt(Math.max(1, Math.round((performance.now() - start) * 1e6)));
  channel.end();
  const at = (nanos: bigint) =>
    `${formatSpan(nanos)} (${formatBytes(Math.round((bytes * 1e9) / Math.max(1, Number(nanos))))}/s)`;
  context.io.say(
    `${toServer ? 'Sent' : 'Received'} ${formatBytes(bytes)} ${toServer ? 'to' : 'from'} server in ${at(taken)}, at server: ${at(reply.ServerDuration)}`,
  );
  return 0;
}

function command(direction: 'from' | 'to'): Command {
  return {
    name: `test-bandwidth-${direction}-server`,
    args: '',
    minArgs: 0,
    maxArgs: 0,
    summary: `say how fast bytes ${direction === 'to' ? 'go to' : 'come from'} the server (-testDuration, -chunkSize)`,
    doing: () => `testing bandwidth ${direction} server`,
    run: (context) => test(context, direction === 'to'),
  };
}

export const testBandwidthFromServer = command('from');
export const testBandwidthToServer = command('to');
