import { ImageServerError } from '../../errors.ts';
import {
  ChangeImageExpirationRequest,
  ChangeImageExpirationResponse,
} from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';
import { expiryTime } from '../time-text.ts';

export const changeImageExpiration: Command = {
  name: 'change-image-expiration',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'extend the life of an image to now + -expiresIn, or make it permanent',
  doing: () => 'changing image expiration',
  async run(context, [name = '']) {
    const client = await context.client();
    const { Error: error } = await client.call(
      'ImageServer.ChangeImageExpiration',
      ChangeImageExpirationRequest,
      ChangeImageExpirationResponse,
      { ExpiresAt: expiryTime(context.flags.expiresIn), ImageName: name },
    );
    if (error) throw new ImageServerError('CONFLICT', error);
    return 0;
  },
};
