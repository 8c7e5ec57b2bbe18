import { encodeText } from '../../wire/text.ts';
import type { Command } from '../command.ts';
import { forFilteredFiles } from '../filtered-files.ts';

/** Lines gathered for one write. */
const LINES = 2000;

export const scanFilteredFiles: Command = {
  name: 'scan-filtered-files',
  args: 'name directory',
  minArgs: 2,
  maxArgs: 2,
  summary: 'list the files of a directory that the filter of an image leaves alone (as root)',
  doing: () => 'scanning filtered files',
  async run(context, [image = '', directory = '']) {
    const paths: string[] = [];
    const flush = () =>
      // Names are bytes: what is not UTF-8 comes out as it is.
      context.out(
        encodeText(
          paths
            .splice(0)
            .map((path) => `${path}\n`)
            .join(''),
        ),
      );
    await forFilteredFiles(context, { image, directory }, ({ path }) => {
      paths.push(path);
      if (!context.flags.json && paths.length >= LINES) return flush();
    });
    if (context.flags.json) await context.json(paths);
    else await flush();
    return 0;
  },
};
