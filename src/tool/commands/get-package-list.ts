import { writeFileSync } from 'node:fs';
import { formatBytes } from '../../image/format.ts';
import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';

export const getPackageList: Command = {
  name: 'get-package-list',
  args: 'name [outfile]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'write name, version and size of the packages of an image to a file or stdout',
  doing: () => 'getting package list',
  async run(context, [name = '', outfile = '']) {
    const { Packages } = await fetchImage(context, name, false);
    if (context.flags.json) {
      await context.json(Packages);
      return 0;
    }
    const names = Math.max(0, ...Packages.map((one) => one.Name.length));
    const versions = Math.max(0, ...Packages.map((one) => one.Version.length));
    const text = Packages.map(
      ({ Name, Version, Size }) => `${Name.padEnd(names)} ${Version.padEnd(versions)} ${formatBytes(Size)}\n`,
    ).join('');
    if (outfile === '') await context.out(text);
    else writeFileSync(outfile, text, { mode: 0o644 });
    return 0;
  },
};
