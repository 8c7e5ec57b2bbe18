/**
 * What the server's work costs, beside another server in the same run:
 * `bun bench/server.ts [-images=30] [-names=2000] [-only=WORDS] [-scratch=DIRECTORY] [-other=COMMAND]`.
 * COMMAND starts another server with {port}, {dir} and {flags} put in and prints its pid once it answers; it is run with
 * a shell. Figures are CPU of the server's process unless they say otherwise, medians of rounds in which the servers take
 * turns; what counts are the ratios.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addImage, uploadAll } from './bulk.ts';
import { replyMessages } from './calls.ts';
import { imageSeries } from './image-series.ts';
import { makeCertificates, Peer } from './peers.ts';
import { plainRows, type Row, tlsRows } from './rows.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const IMAGES = Number(option('images', '30'));
const NAMES = Number(option('names', '2000'));
const ONLY = option('only', '');
const OTHER = option('other', '');
const SCRATCH = option('scratch', '');
const INODES = 20_000;
/** One of fifty files differs from one image to the next. */
const CHANGED = 50;
const ROUNDS = 5;

const directory = mkdtempSync(join(SCRATCH || tmpdir(), 'bench-certificates-'));
chmodSync(directory, 0o755);
const peers = [new Peer('ours', '', SCRATCH), ...(OTHER ? [new Peer('other', OTHER, SCRATCH)] : [])];
const figures = new Map<string, Map<Peer, number[]>>();

function note(row: string, peer: Peer, value: number): void {
  const of = figures.get(row) ?? new Map<Peer, number[]>();
  figures.set(row, of);
  of.set(peer, [...(of.get(peer) ?? []), value]);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const show = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function tableRow(row: string): string {
  const of = figures.get(row);
  const [ours = 0, other] = peers.map((peer) => median(of?.get(peer) ?? []));
  const theirs = other === undefined ? ['', ''] : [show(other), (ours / other).toFixed(2)];
  return `| ${[row, show(ours), ...theirs].join(' | ')} |`;
}

async function measure(peers: readonly Peer[], row: Row): Promise<void> {
  if (!row.name.includes(ONLY)) return;
  for (const peer of peers) await row.prepare?.(peer);
  for (let round = 0; round < ROUNDS; round++)
    for (const peer of peers) {
      const before = peer.cpu();
      const started = performance.now();
      const done = await row.work(peer, round);
      const wall = performance.now() - started;
      note(row.name, peer, ((peer.cpu() - before) * (row.scale ?? 1)) / done);
      if (row.rate) note(`${row.name.replace(/,[^,]*$/, '')}, per second`, peer, (done * 1000) / wall);
    }
  console.error(tableRow(row.name));
}

try {
  for (const peer of peers) await peer.start();
  const series = imageSeries(INODES, CHANGED);
  for (let number = 0; number < IMAGES + ROUNDS; number++) {
    const image = series.image(number);
    for (const peer of peers) {
      await uploadAll(peer.client, series.contents(number));
      const before = peer.cpu();
      await addImage(peer.client, `img.${number}`, image);
      note('AddImage, ms CPU', peer, peer.cpu() - before);
    }
  }
  for (const row of plainRows(IMAGES, NAMES)) await measure(peers, row);
  for (const peer of peers) note('resident after all that, MB', peer, peer.memory());
  for (const peer of peers) {
    await peer.stop();
    const started = performance.now();
    await peer.start();
    note('start until ready, s', peer, (performance.now() - started) / 1000);
    note('start, CPU s', peer, peer.cpu() / 1000);
    note('resident after the start, MB', peer, peer.memory());
    for (let i = 0; i < IMAGES; i++) await replyMessages(peer.client, `img.${i}`);
    note('resident after serving each image once, MB', peer, peer.memory());
  }
  for (const kind of ['ecdsa', 'rsa'] as const) {
    const certificates = await makeCertificates(directory, kind);
    for (const peer of peers) {
      await peer.stop();
      await peer.start(certificates);
    }
    for (const row of tlsRows(kind === 'ecdsa' ? 'P-256' : 'RSA-3072', certificates))
      await measure(peers, row);
  }
} finally {
  for (const peer of peers) await peer.remove();
  rmSync(directory, { recursive: true, force: true });
}

console.log(
  `| ${IMAGES} images of ${INODES} inodes | ours | other | ours / other |\n| --- | --- | --- | --- |`,
);
for (const row of figures.keys()) console.log(tableRow(row));
process.exit(0);
