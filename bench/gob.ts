/** What the gob codec costs: `bun bench/gob.ts [inodes]`. Prints medians of several rounds. */
import {
  addImageRequest,
  decodeImage,
  encodeImage,
  getImageReply,
  patchImage,
  readImageUpload,
  scanImage,
} from '../src/wire/encoded-image.ts';
import { BufferSource, decodeOnce } from '../src/wire/gob/decoder.ts';
import { encodeOnce } from '../src/wire/gob/encoder.ts';
import { Image } from '../src/wire/messages/image.ts';
import { CheckImageRequest } from '../src/wire/messages/imageserver.ts';
import { timeFromMillis } from '../src/wire/time.ts';
import { makeImage } from './made-image.ts';

const ROUNDS = 15;
const WARM_UP = 4;

/** Medians of `run`: time passed, and CPU time, which other work on the machine disturbs less. */
async function measure(name: string, run: () => unknown): Promise<void> {
  const times: number[] = [];
  const cpu: number[] = [];
  let longest = 0;
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    let last = performance.now();
    const beat = setInterval(() => {
      const now = performance.now();
      if (round >= WARM_UP) longest = Math.max(longest, now - last);
      last = now;
    }, 0);
    const before = process.cpuUsage();
    const start = performance.now();
    await run();
    const taken = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    clearInterval(beat);
    if (round >= WARM_UP) times.push(taken);
    if (round >= WARM_UP) cpu.push((user + system) / 1000);
  }
  const median = (list: number[]) =>
    (list.sort((a, b) => a - b)[ROUNDS >> 1] as number).toFixed(2).padStart(8);
  console.log(
    `${name.padEnd(30)} ${median(times)} ms  CPU ${median(cpu)} ms  longest step ${longest.toFixed(1)} ms`,
  );
}

const inodes = Number(process.argv[2] ?? 20_000);
const image = makeImage(inodes);
const { bytes } = encodeImage(image);
console.log(`${inodes} inodes, ${bytes.length} bytes of gob`);
await measure('encode', () => encodeImage(image));
await measure('decode in one go', () => decodeOnce(Image, bytes));
await measure('decode in slices', () => decodeImage(bytes));
await measure('scan', () => scanImage(bytes));
const request = Buffer.concat(addImageRequest('bench/image', bytes));
await measure('read upload', () => readImageUpload(new BufferSource(request)));
const { summary } = await readImageUpload(new BufferSource(request)).then(
  ({ image: read }) => read ?? { summary: undefined },
);
const stored = summary ? { bytes, summary } : { bytes };
await measure('patch', () =>
  patchImage(stored, { createdBy: 'somebody', createdOn: timeFromMillis(1_800_000_000_000) }),
);
await measure('splice into a reply', () => getImageReply(bytes));
await measure('SHA-512', () => Bun.SHA512.hash(bytes));
const small = encodeOnce(CheckImageRequest, { ImageName: 'base/image.0' });
await measure('1,000 small requests encoded', () => {
  for (let index = 0; index < 1000; index++) encodeOnce(CheckImageRequest, { ImageName: 'base/image.0' });
});
await measure('1,000 small requests decoded', () => {
  for (let index = 0; index < 1000; index++) decodeOnce(CheckImageRequest, small);
});
