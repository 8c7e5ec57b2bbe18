/**
 * The same command lines with the original's tools and ours, against the original server and ours: outputs, exit
 * statuses, stderr and made files of all four pairs are compared. Runs where the original's programs are.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanDirectory } from '../src/tool/scan-directory.ts';
import { startFleetManager, startHypervisor } from './fake-machine.ts';
import {
  type Difference,
  FILTERED_STEPS,
  IMPROVED,
  MISTAKES,
  makeFixtures,
  ORIGINAL_STEPS,
  PATCH_STEPS,
  SERVER_DIFFERENCES,
  STEPS,
  type Step,
  SUB_STEPS,
  TOOL_DIFFERENCES,
  VM_STEPS,
} from './peer-commands.ts';
import { Node, PEER_DIRECTORY } from './replication-lab.ts';
import { programCommand, runProgram, startServer } from './server.ts';
import { canRunSub, Sub } from './sub.ts';
import { describeTree, isRoot } from './tool-tree.ts';

type Side = 'original' | 'ours';
interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly made: unknown;
}

const place = mkdtempSync(join(tmpdir(), 'tool-peers-'));
/** Seconds; what is younger was made by a command. */
let started = 0;
const sortedLines = (text: string) => text.split('\n').sort().join('\n');
const NONE: Difference = { why: '' };
/** Ports by the names that command lines have for them. */
const ports = new Map<string, number>();
const withPorts = (word: string) =>
  word.replace(/=([A-Z]+)$/, (all, name) => (ports.has(name) ? `=${ports.get(name)}` : all));

/** The original names its temporary place for the directory, and tells of copies within it. */
const patchLines = (text: string, directory: string) =>
  text
    .replace(/^(Copied|Hardlinked).*\n/gm, '')
    .replace(/^(?:Made|Deleted|Changed|Linked).*$/gm, (line) => line.replaceAll('TEMPORARY', directory));

class Pair {
  constructor(
    readonly tool: Side,
    readonly port: number,
    readonly directory: string,
    readonly serverDirectory: string,
  ) {}

  async run(step: Step): Promise<Outcome> {
    const objects = step.line[0] === 'objecttool';
    const program = objects ? 'objecttool' : 'imagetool';
    const kind = objects ? 'object' : 'image';
    const { status, stdout, stderr } = await runProgram(
      [
        ...(this.tool === 'ours' ? programCommand(program) : [join(PEER_DIRECTORY, 'bin', program)]),
        '-certDirectory=',
        `-${kind}ServerHostname=127.0.0.1`,
        `-${kind}ServerPortNum=${this.port}`,
        ...step.line.slice(objects ? 1 : 0).map(withPorts),
      ],
      { cwd: this.directory, env: { TZ: 'UTC', HOME: this.directory, ...step.env } },
    );
    const told = step.line.includes('patch-directory')
      ? patchLines(this.neutral(stderr), step.line.at(-1) as string)
      : this.neutral(stderr);
    return {
      status,
      stdout: this.neutral(step.sorted ? sortedLines(stdout) : stdout),
      stderr: step.sorted ? sortedLines(told) : told,
      made: step.makes === undefined ? undefined : this.made(step.makes),
    };
  }

  /** What depends on the clock, the port and places. */
  neutral(text: string): string {
    return text
      .replaceAll(String(this.port), 'PORT')
      .replaceAll(this.serverDirectory, 'SERVER')
      .replace(/"(CreatedOn|ExpiresAt)": "20[^"]*"/g, '"$1": "a time"')
      .replace(/(expires at) [-0-9]+ [:.0-9]+ (.*) \(in [0-9a-z]+\)/g, '$1 a time $2')
      .replace(/in [0-9.]+(µs|ms|s) \([0-9]+ [KMG]iB\/s\)/g, 'in SPAN')
      .replace(/in [0-9.]+(µs|ms|s)/g, 'in SPAN')
      .replace(/[0-9.]+ [KMGT]iB(?= (from|to) server)/g, 'BYTES')
      .replace(/at server: .*/g, 'at server')
      .replace(/[0-9.]+s \([0-9]+ [KMG]iB\/s\)/g, 'SPAN')
      .replaceAll(this.directory, 'WORK')
      .replace(/\/tmp\/[^\s/]+/g, 'TEMPORARY')
      .replace(/(error building image: )\1(error sending image data: )?/, '$1');
  }

  made(name: string): unknown {
    const path = join(this.directory, name);
    if (!existsSync(path)) return 'nothing';
    const stat = lstatSync(path);
    if (stat.isDirectory())
      return this.tree(path).filter((line) => !line.startsWith('/var/lib/initial-image'));
    if (name.endsWith('.json')) return this.neutral(readFileSync(path, 'utf8'));
    if (/\.t(ar|gz)$/.test(name)) {
      const extracted = `${path}.x`;
      mkdirSync(extracted);
      execFileSync('tar', ['-xpf', path, '-C', extracted]);
      return this.tree(extracted);
    }
    if (name.endsWith('.gob')) return 'a file';
    return [stat.mode, new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex')];
  }

  /** The original's archives have whole seconds, rounded; what the command made itself is of now. */
  tree(path: string): string[] {
    return describeTree(path).map((line) =>
      line.replace(/^((?:.|\n)*? \d+ \d+:\d+) (-?\d+)/, (_, before: string, nanos: string) => {
        const seconds = Math.round(Number(nanos) / 1e9);
        return `${before} ${seconds > started && seconds < 4e9 ? 'now' : seconds}`;
      }),
    );
  }
}

const describePeers = PEER_DIRECTORY !== '' && isRoot ? describe : describe.skip;

describePeers('the same command lines', () => {
  const pairs: Pair[] = [];
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    const fixtures = join(place, 'fixtures');
    makeFixtures(fixtures);
    started = Math.round(Date.now() / 1000);
    for (const [tool, server] of [
      ['original', 'original'],
      ['original', 'ours'],
      ['ours', 'original'],
      ['ours', 'ours'],
    ] as const) {
      const directory = join(place, `${tool}-${server}`);
      execFileSync('cp', ['-a', fixtures, directory]);
      if (server === 'original') {
        const node = await Node.start('original');
        closers.push(() => node.remove());
        pairs.push(new Pair(tool, node.port, directory, node.directory));
      } else {
        const node = await startServer({ args: ['-objectGracePeriod=0s', '-trashGracePeriod=0s'] });
        closers.push(() => node[Symbol.asyncDispose]());
        pairs.push(new Pair(tool, node.port, directory, node.directory));
      }
    }
  }, 120_000);
  afterAll(async () => {
    for (const close of closers) await close();
    rmSync(place, { recursive: true, force: true });
  });

  const nameOf = ({ line, env }: Step) =>
    [...Object.values(env ?? {}), ...line.map((word) => word || "''")].join(' ');
  const tests = new Map<string, number>();
  /** The same line may come twice. */
  function unique(step: Step): string {
    const name = nameOf(step);
    const count = (tests.get(name) ?? 0) + 1;
    tests.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  }
  const outcomes = (step: Step) => Promise.all(pairs.map((pair) => pair.run(step)));
  /** The original's tool, at either server. */
  async function sameAtBoth(step: Step): Promise<void> {
    const [reference, atOurs] = (await Promise.all(pairs.slice(0, 2).map((pair) => pair.run(step)))) as [
      Outcome,
      Outcome,
    ];
    expect(atOurs).toEqual({ ...reference, ...without(SERVER_DIFFERENCES[nameOf(step)] ?? NONE) } as Outcome);
  }
  const without = ({ why: _, ...answer }: Difference) => answer;

  /** Both tools, at either server. */
  async function sameEverywhere(step: Step): Promise<void> {
    const [reference, atOurs, ourTool, ours] = await outcomes(step);
    const name = nameOf(step);
    const server = without(SERVER_DIFFERENCES[name] ?? NONE);
    const tool = without(TOOL_DIFFERENCES[name] ?? NONE);
    expect({ atOurs, ourTool, ours }).toEqual({
      atOurs: { ...reference, ...server } as Outcome,
      ourTool: { ...reference, ...tool } as Outcome,
      ours: { ...reference, ...server, ...tool } as Outcome,
    });
  }

  describe('get the same answers', () => {
    for (const step of STEPS) test(unique(step), () => sameEverywhere(step));
  });

  describe('commands of the original alone', () => {
    for (const step of ORIGINAL_STEPS) test(unique(step), () => sameAtBoth(step));
  });

  describe('directories made equal to images', () => {
    for (const step of PATCH_STEPS) test(unique(step), () => sameEverywhere(step));
  });

  describe('filtered files', () => {
    for (const step of FILTERED_STEPS) test(unique(step), () => sameEverywhere(step));
  });

  const sub = canRunSub ? describe : describe.skip;
  sub('snapshots of a running machine', () => {
    let machine: Sub;
    beforeAll(async () => {
      machine = await Sub.start(join(place, 'sub'));
    }, 60_000);
    afterAll(() => machine.stop());
    for (const step of SUB_STEPS) test(unique(step), () => sameEverywhere(step));
  });

  describe('virtual machines', () => {
    const ADDRESS = `${'00'.repeat(10)}ffff7f000005`;
    beforeAll(async () => {
      const hypervisor = await startHypervisor(ADDRESS, await scanDirectory(join(place, 'fixtures/t2')));
      const manager = await startFleetManager(ADDRESS, `127.0.0.1:${hypervisor.port}`);
      for (const peer of [hypervisor, manager]) closers.push(async () => peer[Symbol.asyncDispose]());
      ports.set('HYPERVISOR', hypervisor.port);
      ports.set('MANAGER', manager.port);
    });
    for (const step of VM_STEPS) test(unique(step), () => sameEverywhere(step));
  });

  describe('mistakes', () => {
    for (const step of MISTAKES)
      test(unique(step), async () => {
        const compared = (await outcomes(step)).map(({ stderr, ...rest }) => ({
          ...rest,
          stderr: stderr.split('\n')[0],
        }));
        const [reference, atOurs, ...ours] = compared;
        expect(atOurs).toEqual(reference as (typeof compared)[0]);
        for (const { stderr, ...rest } of ours) {
          expect({ ...rest, stderr: reference?.stderr }).toEqual(reference as (typeof compared)[0]);
          if (!reference?.stderr?.startsWith('Usage')) expect(stderr).toBe(reference?.stderr);
          else expect(stderr).not.toBe('');
        }
      });
  });

  describe('what only our tool can do', () => {
    for (const step of IMPROVED)
      test(unique(step), async () => {
        const [reference, atOurs, ...ours] = await outcomes(step);
        expect([reference?.status, atOurs?.status]).not.toContain(0);
        expect(ours.map(({ status, stderr }) => ({ status, stderr }))).toEqual([
          { status: 0, stderr: '' },
          { status: 0, stderr: '' },
        ]);
      });
  });
});
