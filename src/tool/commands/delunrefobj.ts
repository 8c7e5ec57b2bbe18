import { ImageServerError } from '../../errors.ts';
import { parseSize } from '../../flags/values.ts';
import {
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
} from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const delunrefobj: Command = {
  name: 'delunrefobj',
  args: 'percentage bytes',
  minArgs: 2,
  maxArgs: 2,
  summary: 'delete unreferenced objects, oldest first, until both the percentage and the bytes are reached',
  doing: () => 'deleting unreferenced objects',
  async run(context, [percentage = '', bytes = '']) {
    if (!/^\d{1,3}$/.test(percentage) || Number(percentage) > 255)
      throw new ImageServerError(
        'INVALID_REQUEST',
        `parsing percentage: "${percentage}" is not a number from 0 to 255`,
      );
    const client = await context.client();
    await client.call(
      'ImageServer.DeleteUnreferencedObjects',
      DeleteUnreferencedObjectsRequest,
      DeleteUnreferencedObjectsResponse,
      {
        Percentage: Number(percentage),
        Bytes: BigInt(parseSize(bytes)),
      },
    );
    return 0;
  },
};
