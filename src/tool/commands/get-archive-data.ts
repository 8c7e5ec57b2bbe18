import { renameSync, writeFileSync } from 'node:fs';
import { encodeOnce } from '../../wire/gob/encoder.ts';
import { Image } from '../../wire/messages/image.ts';
import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';
import { metadataText } from '../metadata.ts';

/** In one step: a reader sees the old contents or the new ones. */
function replaceFile(file: string, data: string | Uint8Array): void {
  writeFileSync(`${file}~`, data, { mode: 0o644 });
  renameSync(`${file}~`, file);
}

export const getArchiveData: Command = {
  name: 'get-archive-data',
  args: 'name outfile',
  minArgs: 2,
  maxArgs: 2,
  summary:
    'write what is to be archived of an image besides its files: *.json or - (stdout) as JSON, else encoded',
  doing: () => 'getting image',
  async run(context, [name = '', outfile = '']) {
    const image: Image = {
      ...(await fetchImage(context, name, false)),
      Filter: null,
      FileSystem: null,
      Triggers: null,
    };
    if (outfile === '-') await context.out(metadataText(image));
    else replaceFile(outfile, outfile.endsWith('.json') ? metadataText(image) : encodeOnce(Image, image));
    return 0;
  },
};
