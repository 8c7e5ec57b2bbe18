import { CheckDirectoryRequest, CheckDirectoryResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const checkDirectory: Command = {
  name: 'check-directory',
  args: 'dirname',
  minArgs: 1,
  maxArgs: 1,
  summary: 'exit 0 if the image directory exists, else 1',
  doing: () => 'checking directory',
  async run(context, [name = '']) {
    const client = await context.client();
    const reply = await client.call(
      'ImageServer.CheckDirectory',
      CheckDirectoryRequest,
      CheckDirectoryResponse,
      { DirectoryName: name },
    );
    return reply.DirectoryExists ? 0 : 1;
  },
};
