/** The newest image of a directory. */
import { ImageServerError } from '../errors.ts';
import { FindLatestImageRequest, FindLatestImageResponse } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';

/** Newest by creation. Throws DIRECTORY_NOT_FOUND, IMAGE_NOT_FOUND. */
export async function latestImage(context: Context, directory: string): Promise<string> {
  const client = await context.client();
  const reply = await client.call(
    'ImageServer.FindLatestImage',
    FindLatestImageRequest,
    FindLatestImageResponse,
    {
      BuildCommitId: '',
      DirectoryName: directory,
      IgnoreExpiringImages: context.flags.ignoreExpiring,
      TagsToMatch: null,
    },
  );
  if (reply.Error) throw new ImageServerError('DIRECTORY_NOT_FOUND', reply.Error);
  if (!reply.ImageName) throw new ImageServerError('IMAGE_NOT_FOUND', 'no image found');
  return reply.ImageName;
}
