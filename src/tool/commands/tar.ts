import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Command, Context } from '../command.ts';
import { fetchTree } from '../images.ts';
import { writeTar } from '../write-tar.ts';

type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** A file that is removed unless `work` succeeds. */
async function intoFile(context: Context, file: string, work: (sink: Sink) => Promise<void>): Promise<void> {
  const fd = openSync(file, 'w', 0o644);
  let complete = false;
  const finish = context.cleanUp(() => {
    closeSync(fd);
    if (!complete) rmSync(file, { force: true });
  });
  try {
    await work((bytes) => {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    });
    complete = true;
  } finally {
    finish();
  }
}

/** Compresses what `work` writes. */
async function compressed(sink: Sink, work: (sink: Sink) => Promise<void>): Promise<void> {
  const gzip = createGzip();
  const target = new Writable({
    write(chunk: Uint8Array, _, done) {
      Promise.resolve(sink(chunk)).then(() => done(), done);
    },
  });
  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      gzip.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  const written = pipeline(gzip, target);
  await Promise.race([work(write), written]);
  gzip.end();
  await written;
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
    const write = (sink: Sink) => writeTar(context, tree, sink);
    const produce = context.flags.compress ? (sink: Sink) => compressed(sink, write) : write;
    if (file === '') await produce((bytes) => context.out(bytes));
    else await intoFile(context, file, produce);
    return 0;
  },
};
