import { ImageServerError } from '../../errors.ts';
import { formatBytes } from '../../image/format.ts';
import { toJson } from '../../wire/json.ts';
import {
  ListTrashRequest,
  ListTrashResponse,
  PurgeTrashRequest,
  PurgeTrashResponse,
} from '../../wire/messages/extensions.ts';
import { toMillis } from '../../wire/time.ts';
import type { Command } from '../command.ts';

const minutes = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

export const trash: Command = {
  name: 'trash',
  args: '[empty]',
  minArgs: 0,
  maxArgs: 1,
  summary: 'list deleted images that can be brought back, or remove all of them for good',
  doing: ([what]) => (what === undefined ? 'listing trash' : 'emptying trash'),
  async run(context, [what]) {
    const client = await context.client();
    if (what !== undefined) {
      if (what !== 'empty') throw new ImageServerError('INVALID_REQUEST', `unknown: trash ${what}`);
      const { Images } = await client.call('ImageServer.PurgeTrash', PurgeTrashRequest, PurgeTrashResponse, {
        ImageName: '',
        Id: '',
        All: true,
      });
      await context.out(Images.map((name) => `${name}\n`).join(''));
      return 0;
    }
    const reply = await client.call('ImageServer.ListTrash', ListTrashRequest, ListTrashResponse, {});
    if (context.flags.json) {
      await context.out(`${toJson(ListTrashResponse, reply)}\n`);
      return 0;
    }
    for (const { Id, Name, DeletedAt, DeletedBy, PurgeAt, DataBytes } of reply.Images)
      await context.out(
        `${Name}  id ${Id}  deleted ${minutes(toMillis(DeletedAt))}${DeletedBy && ` by ${DeletedBy}`}, kept until ${minutes(toMillis(PurgeAt))} UTC  ${formatBytes(DataBytes)}\n`,
      );
    return 0;
  },
};
