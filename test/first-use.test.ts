/** What somebody meets who has just cloned the project: `npm start`, the commands it prints, and the words of the programs. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programCommand, runProgram } from './server.ts';

const root = join(import.meta.dir, '..');
const scratch = mkdtempSync(join(tmpdir(), 'first-use-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** `npm start` without npm: a process group of its own, as a terminal gives it. */
async function startDemo(port: string) {
  const child = Bun.spawn([process.execPath, 'run', 'src/daemon/demo.ts'], {
    cwd: root,
    env: { ...process.env, DATA: join(scratch, 'data'), PORT: port },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    detached: true,
  });
  let text = '';
  const running = Promise.withResolvers<boolean>();
  const read = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('Stop with Ctrl-C')) running.resolve(true);
    }
    running.resolve(false);
  })();
  return {
    running: await running.promise,
    text: () => text,
    /** What a terminal does on Ctrl-C: the signal goes to the whole group. */
    async ctrlC() {
      process.kill(-child.pid, 'SIGINT');
      await read;
      return child.exited;
    },
    exited: child.exited,
  };
}

describe('npm start', () => {
  test('starts, its commands work as printed, stops at Ctrl-C, and starts again with its data', async () => {
    const first = await startDemo('0');
    expect(first.text()).toContain('First start: adding the image example/demo.0');
    const commands = [...first.text().matchAll(/dist\/imagetool .*$/gm)].map(([command]) => command);
    expect(commands).toHaveLength(3);
    const outputs: string[] = [];
    for (const command of commands) {
      const typed = command.replace('/tmp/demo.tar', join(scratch, 'demo.tar'));
      const { status, stdout, stderr } = await runProgram(['sh', '-c', typed], { cwd: root });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      outputs.push(stdout);
    }
    expect(outputs[0]).toBe('example/demo.0\n');
    expect(outputs[1]).toMatch(/^d.* \/\n/);
    expect(Bun.file(join(scratch, 'demo.tar')).size).toBeGreaterThan(10_000);

    const second = await startDemo('0');
    expect(second.running).toBeFalse();
    expect(await second.exited).toBe(1);
    expect(second.text()).toMatch(/in use by another image server \(pid \d+\)\n.*\n.* PORT=6972 npm start/);

    expect(await first.ctrlC()).toBe(0);

    const third = await startDemo('0');
    expect(third.running).toBeTrue();
    expect(third.text()).not.toContain('First start');
    expect(await third.ctrlC()).toBe(0);
  });
  test('a port that is taken', async () => {
    using other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
    const demo = await startDemo(String(other.port));
    expect(await demo.exited).toBe(1);
    expect(demo.text()).toContain(`port ${other.port} is in use by another program`);
    expect(demo.text()).toContain('PORT=6972 npm start');
  });
});

describe('words', () => {
  const cases: [program: 'imageserver' | 'imagetool' | 'objecttool', args: string[], number, RegExp][] = [];
  for (const program of ['imageserver', 'imagetool', 'objecttool'] as const) {
    for (const word of ['-h', '-help', '--help', 'help']) cases.push([program, [word], 0, /^Usage: .*\n/]);
    for (const word of ['-version', '--version', 'version'])
      cases.push([program, [word], 0, new RegExp(`^${program} \\d+\\.\\d+`)]);
    cases.push([program, ['-bogosity'], 2, /flag provided but not defined: -bogosity\nRun "/]);
    cases.push([program, ['helpp'], 2, /unknown command: helpp \(did you mean help\?\)/]);
  }
  cases.push(
    ['imageserver', ['-portNumm=1'], 2, /\(did you mean -portNum\?\)/],
    ['imageserver', ['inti'], 2, /unknown command: inti \(did you mean init\?\)/],
    ['imageserver', ['init', '-h'], 0, /^Usage: imageserver init /],
    ['imageserver', ['help', 'certificate'], 0, /^Usage: imageserver certificate /],
    ['imageserver', ['certificate', '-usr=x'], 2, /\(did you mean -user\?\)/],
    ['imageserver', ['-portNum=abc'], 2, /invalid value "abc" for flag -portNum/],
    [
      'imageserver',
      ['-allowRoot', '-logDir='],
      1,
      /unable to load keypair: .*"imageserver init", as root, makes/,
    ],
    [
      'imageserver',
      ['-allowRoot', '-logDir=', '-permitInsecureMode', '-objectDir=/nowhere'],
      1,
      /Cannot stat: \/nowhere: no such file or directory: make it/,
    ],
    ['imagetool', ['lits'], 2, /\(did you mean list\?\)/],
    ['imagetool', ['help', 'lst'], 2, /unknown command: lst \(did you mean list\?\)/],
    ['imagetool', ['help', 'add'], 0, /^Usage: imagetool \[flags\.\.\.\] add name imagefile/],
    ['imagetool', ['show'], 2, /^Usage: imagetool \[flags\.\.\.\] show name\n/],
    ['imagetool', ['-imageServerPortNumm=1', 'list'], 2, /\(did you mean -imageServerPortNum\?\)/],
    ['imagetool', [], 2, /no command given/],
  );
  for (const [program, args, status, words] of cases)
    test([program, ...args].join(' '), async () => {
      const ran = await runProgram([...programCommand(program), ...args]);
      expect(ran.status).toBe(status);
      // What was asked for can be piped; what is wrong is seen.
      expect(status === 0 ? ran.stdout : ran.stderr).toMatch(words);
      expect(status === 0 ? ran.stderr : ran.stdout).toBe('');
    });

  test('every command of imagetool has help', async () => {
    const { stdout } = await runProgram([...programCommand('imagetool'), 'help']);
    const names = [...stdout.slice(0, stdout.indexOf('Flags:')).matchAll(/^ {2}([a-z-]+)/gm)].map(
      ([, name]) => name as string,
    );
    expect(names.length).toBeGreaterThan(30);
    const helps = await Promise.all(
      names.map((name) => runProgram([...programCommand('imagetool'), 'help', name])),
    );
    for (const [index, help] of helps.entries())
      expect(help).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`[flags...] ${names[index]}`),
      });
  });
  test('one directory for both, or one inside the other, is refused', async () => {
    const directory = join(scratch, 'both');
    for (const [images, objects] of [
      ['images', 'images'],
      ['images', 'images/below'],
      ['objects/below', 'objects'],
    ] as const) {
      const [imageDir, objectDir] = [join(directory, images), join(directory, objects)];
      for (const path of [imageDir, objectDir]) mkdirSync(path, { recursive: true });
      const ran = await runProgram([
        ...programCommand('imageserver'),
        ...['-allowRoot', '-portNum=0', '-logDir=', '-permitInsecureMode', '-CAfile='],
        `-imageDir=${imageDir}`,
        `-objectDir=${objectDir}`,
      ]);
      expect(ran).toMatchObject({ status: 1, stderr: expect.stringContaining('must be apart') });
    }
  });
});
