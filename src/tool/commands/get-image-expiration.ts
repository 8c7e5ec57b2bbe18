import { ImageServerError } from '../../errors.ts';
import { formatSpan } from '../../image/format.ts';
import { GetImageExpirationRequest, GetImageExpirationResponse } from '../../wire/messages/imageserver.ts';
import { isZeroTime } from '../../wire/time.ts';
import type { Command } from '../command.ts';
import { timeText } from '../time-text.ts';

export const getImageExpiration: Command = {
  name: 'get-image-expiration',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print when an image expires',
  doing: () => 'getting image expiration',
  async run(context, [name = '']) {
    const client = await context.client();
    const { Error: error, ExpiresAt } = await client.call(
      'ImageServer.GetImageExpiration',
      GetImageExpirationRequest,
      GetImageExpirationResponse,
      { ImageName: name },
    );
    if (error) throw new ImageServerError('IMAGE_NOT_FOUND', error);
    const never = isZeroTime(ExpiresAt);
    if (context.flags.json) await context.json({ ExpiresAt: never ? null : timeText(ExpiresAt) });
    else if (never) await context.out('image does not expire\n');
    else {
      const left = ExpiresAt.unixNanos - BigInt(Date.now()) * 1_000_000n;
      const text =
        left >= 0n
          ? `image expires at ${timeText(ExpiresAt)} (in ${formatSpan(left)})`
          : `image expired at ${timeText(ExpiresAt)} (${formatSpan(-left)} ago)`;
      await context.out(`${text}\n`);
    }
    return 0;
  },
};
