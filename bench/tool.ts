/**
 * What commands of the tool cost, beside another tool and another server in the same run:
 * `bun bench/tool.ts [-tree=DIRECTORY] [-files=20000] [-rounds=3] [-only=WORDS] [-scratch=DIRECTORY]
 * [-otherTool=FILE] [-other=COMMAND]`. COMMAND is as in `server.ts`; FILE is another imagetool. Figures are CPU seconds of
 * the tool, its wall time, and CPU seconds of the server meanwhile: medians of rounds in which the pairs of tool and server
 * take turns. What counts are the ratios.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteImageRequest,
  DeleteImageResponse,
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
} from '../src/wire/messages/imageserver.ts';
import { programCommand } from '../test/server.ts';
import { Peer } from './peers.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const FILES = Number(option('files', '20000'));
const ROUNDS = Number(option('rounds', '3'));
const ONLY = option('only', '');
const OTHER = option('other', '');
const OTHER_TOOL = option('otherTool', '');
const SCRATCH = option('scratch', '') || tmpdir();
/** Of the tree that is made when none is given: sizes as a root file system has them. */
const SIZES = [...Array(60).fill(2048), ...Array(30).fill(16_384), ...Array(9).fill(131_072), 2_097_152];

interface Pair {
  readonly name: string;
  readonly command: readonly string[];
  readonly server: Peer;
}
interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly server: number;
}

const place = mkdtempSync(join(SCRATCH, 'bench-tool-'));

/** Files of their own contents, a hundred in a directory. */
function makeTree(name: string, files: number, size: (file: number) => number): string {
  const directory = join(place, name);
  for (let file = 0; file < files; file++) {
    const parent = join(directory, `directory-${Math.floor(file / 100)}`);
    if (file % 100 === 0) mkdirSync(parent, { recursive: true });
    const bytes = Buffer.alloc(size(file), `${name} ${file}\n`);
    writeFileSync(join(parent, `file-${file}`), bytes);
  }
  return directory;
}

async function run({ command, server }: Pair, words: readonly string[]): Promise<Cost> {
  const before = server.cpu();
  const started = performance.now();
  const child = Bun.spawn(
    [
      ...command,
      '-certDirectory=',
      '-imageServerHostname=127.0.0.1',
      `-imageServerPortNum=${server.port}`,
      ...words,
    ],
    { cwd: place, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' },
  );
  if ((await child.exited) !== 0) throw new Error(`failed: ${[...command, ...words].join(' ')}`);
  const wall = (performance.now() - started) / 1000;
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { cpu, wall, server: (server.cpu() - before) / 1000 };
}

async function forget(server: Peer, image: string): Promise<void> {
  await server.client.call('ImageServer.DeleteImage', DeleteImageRequest, DeleteImageResponse, {
    ImageName: image,
  });
  await server.client.call(
    'ImageServer.DeleteUnreferencedObjects',
    DeleteUnreferencedObjectsRequest,
    DeleteUnreferencedObjectsResponse,
    { Percentage: 100, Bytes: 0n },
  );
}

interface Row {
  readonly name: string;
  readonly words: readonly string[];
  /** Undoes what the command did. */
  readonly undo?: (pair: Pair) => unknown;
}
const got = join(place, 'got');
const removeGot = () => rmSync(got, { recursive: true, force: true });
const rowsOf = (kind: string, tree: string): Row[] => [
  { name: `add ${kind}`, words: ['add', 'new', tree, '', ''], undo: ({ server }) => forget(server, 'new') },
  {
    name: `add ${kind}, objects known`,
    words: ['add', 'again', tree, '', ''],
    undo: ({ server }) => forget(server, 'again'),
  },
  { name: `get ${kind}`, words: ['get', 'kept', got], undo: removeGot },
  { name: `tar ${kind}`, words: ['tar', 'kept', got], undo: removeGot },
  { name: `show ${kind}`, words: ['show', 'kept'] },
  { name: `diff ${kind}`, words: ['diff', 'true', 'kept', 'kept'] },
  {
    name: `copy ${kind}`,
    words: ['copy', 'copied', 'kept'],
    undo: ({ server }) => forget(server, 'copied'),
  },
];

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const shown = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

async function measure(pairs: readonly Pair[], row: Row): Promise<void> {
  const costs = new Map<Pair, Cost[]>(pairs.map((pair) => [pair, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const pair of pairs) {
      costs.get(pair)?.push(await run(pair, row.words));
      await row.undo?.(pair);
      // What was written must not be paid for by the next.
      Bun.spawnSync(['sync']);
    }
  const figure = (pair: Pair | undefined, part: keyof Cost) =>
    median((pair ? (costs.get(pair) ?? []) : []).map((cost) => cost[part]));
  for (const pair of pairs) {
    const cells = (['cpu', 'wall', 'server'] as const).flatMap((part) => {
      const ratio = figure(pair, part) / figure(pairs.at(-1), part);
      return [shown(figure(pair, part)), ratio.toFixed(2)];
    });
    console.log(`| ${[row.name, pair.name, ...cells].join(' | ')} |`);
  }
}

const servers = [new Peer('ours', '', SCRATCH), ...(OTHER ? [new Peer('other', OTHER, SCRATCH)] : [])];
const tools = [
  { name: 'ours', command: programCommand('imagetool') },
  ...(OTHER_TOOL ? [{ name: 'other', command: [OTHER_TOOL] }] : []),
];
// The last one is what the others are compared with: the other tool at the other server.
const pairs: Pair[] = servers.flatMap((server) =>
  tools.map(({ name, command }) => ({ name: `${name} at ${server.name}`, command, server })),
);
try {
  for (const server of servers) await server.start();
  console.log('| command | tool at server | tool CPU s | ratio | wall s | ratio | server CPU s | ratio |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  const trees: [string, string][] = [
    ['tree', option('tree', '') || makeTree('mixed', FILES / 2, (file) => SIZES[file % SIZES.length])],
    ['tiny files', makeTree('tiny', FILES, (file) => 20 + (file % 80))],
  ];
  for (const [kind, tree] of trees) {
    const [add, ...others] = rowsOf(kind, tree) as [Row, ...Row[]];
    if (add.name.includes(ONLY)) await measure(pairs, add);
    const wanted = others.filter((row) => row.name.includes(ONLY));
    if (wanted.length === 0) continue;
    for (const server of servers)
      await run({ name: '', command: tools[0]?.command ?? [], server }, ['add', 'kept', tree, '', '']);
    for (const row of wanted) await measure(pairs, row);
    for (const server of servers) await forget(server, 'kept');
  }
} finally {
  for (const server of servers) await server.remove();
  rmSync(place, { recursive: true, force: true });
}
process.exit(0);
