/**
 * What `npm start` runs: builds the executable if it is missing or older than the source, starts it on loopback with
 * its data in ./data and without certificates, and on the first start adds an example image made of a directory of this
 * machine, so that the next command has something to show.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dir, '..', '..');
const executable = join(root, 'dist', 'imageserver');
const data = join(root, 'data');
const port = process.env.PORT ?? '6971';
/** First one that exists becomes the example: many small files, links, nothing secret. */
const EXAMPLE_TREES = ['/usr/share/zoneinfo', '/usr/share/doc', join(root, 'src')];

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
  console.error('Building dist/imageserver ...');
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

function addExample(): void {
  const tree = EXAMPLE_TREES.find((path) => existsSync(path));
  if (tree === undefined || tool('list').stdout !== '') return;
  console.error(`First start: adding the image example/demo.0 made from ${tree} ...`);
  tool('mkdir', 'example');
  // No filter: a sparse image, which need not be a whole system.
  tool('add', 'example/demo.0', tree, '', '');
}

buildIfNeeded();
for (const name of ['images', 'objects', 'logs']) mkdirSync(join(data, name), { recursive: true });
const server = Bun.spawn(
  [
    executable,
    '-allowRoot',
    '-listenAddress=127.0.0.1',
    `-portNum=${port}`,
    '-permitInsecureMode',
    `-imageDir=${join(data, 'images')}`,
    `-objectDir=${join(data, 'objects')}`,
    `-logDir=${join(data, 'logs')}`,
    '-CAfile=',
    ...process.argv.slice(2),
  ],
  { stdin: 'ignore', stdout: 'inherit', stderr: 'pipe' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.kill(signal));

let text = '';
let ready = false;
const decoder = new TextDecoder();
for await (const chunk of server.stderr) {
  process.stderr.write(chunk);
  if (ready) continue;
  text += decoder.decode(chunk, { stream: true });
  if (!text.includes('Ready on ')) continue;
  ready = true;
  addExample();
  console.error(`
Status page   http://127.0.0.1:${port}/
API           http://127.0.0.1:${port}/swagger
Try next      dist/imagetool -certDirectory= list
              dist/imagetool -certDirectory= show example/demo.0
              dist/imagetool -certDirectory= tar example/demo.0 /tmp/demo.tar
Stop with Ctrl-C; the data stay in ./data.
`);
}
process.exitCode = await server.exited;
