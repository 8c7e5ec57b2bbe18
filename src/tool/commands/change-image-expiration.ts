import { ImageServerError } from '../../errors.ts';
import {
  ChangeImageExpirationRequest,
  ChangeImageExpirationResponse,
} from '../../wire/messages/imageserver.ts';
import { timeFromMillis, ZERO_TIME } from '../../wire/time.ts';
import type { Command } from '../command.ts';

export const changeImageExpiration: Command = {
  name: 'change-image-expiration',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'extend the life of an image to now + -expiresIn, or make it permanent',
  doing: () => 'changing image expiration',
  async run(context, [name = '']) {
    const { expiresIn } = context.flags;
    const client = await context.client();
    const { Error: error } = await client.call(
      'ImageServer.ChangeImageExpiration',
      ChangeImageExpirationRequest,
      ChangeImageExpirationResponse,
      {
        ExpiresAt: expiresIn > 0n ? timeFromMillis(Date.now() + Number(expiresIn / 1_000_000n)) : ZERO_TIME,
        ImageName: name,
      },
    );
    if (error) throw new ImageServerError('CONFLICT', error);
    return 0;
  },
};
