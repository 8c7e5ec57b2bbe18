import { compileFilter, mergeFilters as mergeAll, parseFilter } from '../../image/filter.ts';
import type { Command } from '../command.ts';
import { readTextFile } from '../text-file.ts';

export const mergeFilters: Command = {
  name: 'merge-filters',
  args: 'filterfile...',
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'print the union of the lines of filter files',
  doing: () => 'merging filter',
  async run(context, files) {
    const filters = files.map((file) => {
      const filter = parseFilter(readTextFile(file));
      compileFilter(filter.FilterLines);
      return filter;
    });
    await context.out(
      mergeAll(filters)
        .FilterLines.map((line) => `${line}\n`)
        .join(''),
    );
    return 0;
  },
};
