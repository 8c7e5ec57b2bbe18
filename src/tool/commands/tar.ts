import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import type { ToolIo } from '../io.ts';
import { writeTar } from '../write-tar.ts';

function standardOutput(io: ToolIo): Writable {
  return new Writable({
    write(chunk: Uint8Array, _, done) {
      io.out(chunk).then(() => done(), done);
    },
  });
}

async function openFile(file: string): Promise<Writable> {
  const stream = createWriteStream(file, { mode: 0o644 });
  await once(stream, 'open');
  return stream;
}

export const tar: Command = {
  name: 'tar',
  args: 'name [file]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'write an image as a tar archive to a file or stdout (-compress: gzip)',
  doing: () => 'taring image',
  async run(context, [name = '', file = '']) {
    const tree = await fetchTree(context, name);
    const target = file === '' ? standardOutput(context.io) : await openFile(file);
    let complete = false;
    const remove = context.cleanUp(() => {
      if (!complete && file !== '') rmSync(file, { force: true });
    });
    const gzip = context.flags.compress ? createGzip() : undefined;
    const out: Writable = gzip ?? target;
    const written = gzip && pipeline(gzip, target);
    written?.catch(() => undefined);
    let failure: Error | undefined;
    out.on('error', (error) => {
      failure = error;
    });
    try {
      await writeTar(context, tree, async (bytes) => {
        if (failure) throw failure;
        if (!out.write(bytes)) await Promise.race([once(out, 'drain'), once(out, 'close')]);
      });
      out.end();
      await (written ?? once(out, 'finish'));
      complete = true;
      return 0;
    } finally {
      remove();
    }
  },
};
