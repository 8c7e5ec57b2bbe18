import { ReleaseHeldDeletionsRequest, ReleaseHeldDeletionsResponse } from '../../wire/messages/extensions.ts';
import type { Command } from '../command.ts';

export const releaseDeletions: Command = {
  name: 'release-deletions',
  args: 'all|name...',
  minArgs: 1,
  maxArgs: 1000,
  summary: 'let deletions happen that a replica holds back; prints what is deleted',
  doing: () => 'releasing deletions',
  async run(context, names) {
    const client = await context.client();
    const all = names.length === 1 && names[0] === 'all';
    const { ImageNames } = await client.call(
      'ImageServer.ReleaseHeldDeletions',
      ReleaseHeldDeletionsRequest,
      ReleaseHeldDeletionsResponse,
      { ImageNames: all ? [] : [...names], All: all },
    );
    await context.out(ImageNames.map((name) => `${name}\n`).join(''));
    return 0;
  },
};
