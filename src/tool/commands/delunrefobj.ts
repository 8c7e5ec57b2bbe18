import { parseSize } from '../../flags/values.ts';
import {
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
} from '../../wire/messages/imageserver.ts';
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
    await client.call(
      'ImageServer.DeleteUnreferencedObjects',
      DeleteUnreferencedObjectsRequest,
      DeleteUnreferencedObjectsResponse,
      request,
    );
    return 0;
  },
};
