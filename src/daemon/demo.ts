/**
 * What `npm start` runs: builds the executable if it is missing or older than the source, starts it on loopback with
 * its data in ./data and without certificates, and on the first start adds an example image made of a directory of this
 * machine, so that the next command has something to show.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dir, '..', '..');
const executable = join(root, 'dist', 'imageserver');
const data = process.env.DATA ?? join(root, 'data');
const wantedPort = process.env.PORT ?? '6971';
/** Taken from what the server says: PORT=0 is any free one. */
let port = wantedPort;
/** First one that exists becomes the example: many small files, links, nothing secret. */
const EXAMPLE_TREES = ['/usr/share/zoneinfo', '/usr/share/doc', join(root, 'src')];

// Not console.error, which colours it red on a terminal.
const say = (text: string) => process.stderr.write(`${text}\n`);

function newestSource(directory: string): number {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    const time = entry.isDirectory() ? newestSource(path) : statSync(path).mtimeMs;
    if (time > newest) newest = time;
  }
  return newest;
}

function buildIfNeeded(): void {
  const source = Math.max(
    ...['src', 'public'].map((name) => newestSource(join(root, name))),
    statSync(join(root, 'package-lock.json')).mtimeMs,
  );
  if (existsSync(executable) && statSync(executable).mtimeMs > source) return;
  say('Building dist/imageserver ...');
  const { exitCode } = Bun.spawnSync(['sh', 'build.sh'], { cwd: root, stdout: 'ignore', stderr: 'inherit' });
  if (exitCode !== 0) process.exit(exitCode);
}

function tool(...args: string[]): { status: number; stdout: string } {
  const { exitCode, stdout } = Bun.spawnSync(
    [
      executable,
      'imagetool',
      '-certDirectory=',
      '-imageServerHostname=127.0.0.1',
      `-imageServerPortNum=${port}`,
      ...args,
    ],
    { stdout: 'pipe', stderr: 'inherit' },
  );
  return { status: exitCode, stdout: stdout.toString() };
}

/** What to do when the server did not start; it has said itself what is wrong. */
function advice(said: string): string | undefined {
  if (/in use by another image server/.test(said))
    return 'It was probably started by another "npm start": stop that one with Ctrl-C, or give this one other places:\n  DATA=/tmp/imageserver-data PORT=6972 npm start';
  if (/^imageserver: port /m.test(said) || /-portNum/.test(said))
    return `The port is the variable PORT here, for instance:\n  PORT=${wantedPort === '6972' ? 6973 : 6972} npm start`;
  return undefined;
}

function addExample(): void {
  const tree = EXAMPLE_TREES.find((path) => existsSync(path));
  if (tree === undefined || tool('list').stdout !== '') return;
  say(`First start: adding the image example/demo.0 made from ${tree} ...`);
  tool('mkdir', 'example');
  // No filter: a sparse image, which need not be a whole system.
  tool('add', 'example/demo.0', tree, '', '');
}

buildIfNeeded();
try {
  for (const name of ['images', 'objects', 'logs']) mkdirSync(join(data, name), { recursive: true });
} catch (error) {
  say(
    `${(error as Error).message}\nName a directory that can be written to, for instance: DATA=/tmp/imageserver-data npm start`,
  );
  process.exit(1);
}
const server = Bun.spawn(
  [
    executable,
    '-allowRoot',
    '-listenAddress=127.0.0.1',
    `-portNum=${wantedPort}`,
    '-permitInsecureMode',
    `-imageDir=${join(data, 'images')}`,
    `-objectDir=${join(data, 'objects')}`,
    `-logDir=${join(data, 'logs')}`,
    '-CAfile=',
    ...process.argv.slice(2),
  ],
  // A group of its own: Ctrl-C reaches it once, from here. A second one is taken as impatience and ends it at once.
  { stdin: 'ignore', stdout: 'inherit', stderr: 'pipe', detached: true },
);
process.on('SIGINT', () => server.kill('SIGINT'));
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => server.kill('SIGTERM'));

let said = '';
let ready = false;
const decoder = new TextDecoder();
for await (const chunk of server.stderr) {
  process.stderr.write(chunk);
  if (ready) continue;
  said += decoder.decode(chunk, { stream: true });
  const listening = /Ready on \S+:(\d+)/.exec(said);
  if (!listening) continue;
  ready = true;
  port = listening[1] as string;
  addExample();
  const imagetool = `dist/imagetool -certDirectory=${port === '6971' ? '' : ` -imageServerPortNum=${port}`}`;
  say(`
Status page   http://127.0.0.1:${port}/
API           http://127.0.0.1:${port}/swagger
Try next      ${imagetool} list
(in another   ${imagetool} show example/demo.0
 terminal)    ${imagetool} tar example/demo.0 /tmp/demo.tar
Stop with Ctrl-C; the data stay in ${process.env.DATA ?? './data'}.
`);
}
const status = await server.exited;
if (!ready && status !== 0) {
  const text = advice(said);
  if (text !== undefined) say(text);
}
process.exitCode = status;
