/** Image directories of the server. */
import { CheckDirectoryRequest, CheckDirectoryResponse } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';

export async function directoryExists(context: Context, name: string): Promise<boolean> {
  const client = await context.client();
  const reply = await client.call(
    'ImageServer.CheckDirectory',
    CheckDirectoryRequest,
    CheckDirectoryResponse,
    {
      DirectoryName: name,
    },
  );
  return reply.DirectoryExists;
}
