import { ImageServerError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';
import { writeObject } from '../object-file.ts';

export const getBuildLog: Command = {
  name: 'get-build-log',
  args: 'name [outfile]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'write the build log of an image to a file or stdout; prints the URL if it is elsewhere',
  doing: () => 'getting build log',
  async run(context, [name = '', outfile = '']) {
    const { BuildLog } = await fetchImage(context, name, false);
    if (BuildLog?.Object) await writeObject(context, BuildLog.Object, outfile);
    else if (BuildLog?.URL) await context.out(`${BuildLog.URL}\n`);
    else throw new ImageServerError('FILE_NOT_FOUND', 'no build log');
    return 0;
  },
};
