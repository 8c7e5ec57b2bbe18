import { compareVersions } from '../../image/version-order.ts';
import type { Command } from '../command.ts';
import { addLayers } from '../layers.ts';
import { imageNames } from '../lists.ts';

/** The newest image of each series: names that differ in a number after the last separator only. */
function newestOfSeries(names: readonly string[], separator: string): Map<string, bigint> {
  const newest = new Map<string, bigint>();
  for (const name of names) {
    const at = name.lastIndexOf(separator);
    const number = name.slice(at + 1);
    if (at < 0 || !/^\d+$/.test(number)) continue;
    const series = name.slice(0, at);
    const known = newest.get(series);
    if (known === undefined || BigInt(number) > known) newest.set(series, BigInt(number));
  }
  return newest;
}

export const bulkAddrep: Command = {
  name: 'bulk-addrep',
  args: 'layerimage...',
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'addrep to the newest image of every series such as base/img.7, making base/img.8',
  doing: () => 'adding images',
  async run(context, layers) {
    const names = await imageNames(context);
    for (const separator of ['/', '.'])
      for (const [series, number] of [...newestOfSeries(names, separator)].sort(([a], [b]) =>
        compareVersions(a, b),
      )) {
        const base = `${series}${separator}${number}`;
        await addLayers(context, `${series}${separator}${number + 1n}`, base, layers);
      }
    return 0;
  },
};
