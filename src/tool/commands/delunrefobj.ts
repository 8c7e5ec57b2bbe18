import { parseSize } from '../../flags/values.ts';
import { formatBytes } from '../../image/format.ts';
import { toJson } from '../../wire/json.ts';
import {
  PreviewDeleteUnreferencedObjectsRequest,
  PreviewDeleteUnreferencedObjectsResponse,
} from '../../wire/messages/extensions.ts';
import {
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
} from '../../wire/messages/imageserver.ts';
import { type GoTime, toMillis } from '../../wire/time.ts';
import type { Command } from '../command.ts';
import { Failure } from '../errors.ts';

function percentageOf(text: string): number {
  const fail = (reason: string): never => {
    throw new Failure(
      'INVALID_REQUEST',
      `parsing percentage: strconv.ParseUint: parsing "${text}": ${reason}`,
    );
  };
  if (!/^\d+$/.test(text)) fail('invalid syntax');
  return Number(text) > 255 ? fail('value out of range') : Number(text);
}

function bytesOf(text: string): bigint {
  try {
    return BigInt(parseSize(text));
  } catch (cause) {
    throw new Failure('INVALID_REQUEST', `parsing bytes: ${(cause as Error).message}`, { cause });
  }
}

const day = (time: GoTime) => new Date(toMillis(time)).toISOString().slice(0, 19).replace('T', ' ');

function previewLines(reply: PreviewDeleteUnreferencedObjectsResponse): string[] {
  const { NumObjects, TotalBytes, Objects } = reply;
  const left = NumObjects - BigInt(Objects.length);
  return [
    ...Objects.map(({ Hash, Size, Since }) => `${Hash} ${Size} since ${day(Since)} UTC`),
    ...(left > 0n ? [`and ${left} more`] : []),
    `would delete ${NumObjects} objects, ${formatBytes(TotalBytes)}`,
  ];
}

export const delunrefobj: Command = {
  name: 'delunrefobj',
  args: 'percentage bytes',
  minArgs: 2,
  maxArgs: 2,
  summary: 'delete unreferenced objects until both the percentage and the bytes (1048576, 10MiB) are reached',
  doing: () => 'deleting unreferenced objects',
  async run(context, [percentage = '', bytes = '']) {
    const request = { Percentage: percentageOf(percentage), Bytes: bytesOf(bytes) };
    const client = await context.client();
    if (context.flags.dryRun) {
      const reply = await client.call(
        'ImageServer.PreviewDeleteUnreferencedObjects',
        PreviewDeleteUnreferencedObjectsRequest,
        PreviewDeleteUnreferencedObjectsResponse,
        request,
      );
      if (context.flags.json)
        await context.out(`${toJson(PreviewDeleteUnreferencedObjectsResponse, reply)}\n`);
      else await context.out(`${previewLines(reply).join('\n')}\n`);
      return 0;
    }
    await client.call(
      'ImageServer.DeleteUnreferencedObjects',
      DeleteUnreferencedObjectsRequest,
      DeleteUnreferencedObjectsResponse,
      request,
    );
    return 0;
  },
};
