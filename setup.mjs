/**
 * All the set-up there is, with nothing but Node and npm: installs the pinned dependencies (Bun among them) when they
 * are not there or package-lock.json has changed since. `npm start`, `npm test` and `npm run build` call it first.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

process.chdir(import.meta.dirname);
const stamp = 'node_modules/.imageserver-setup';
const wanted = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;

if (!done) {
  console.error('Installing the pinned dependencies (once) ...');
  // All of them are development dependencies (what is published needs none), whatever NODE_ENV says. No install scripts
  // but Bun's own, which puts the executable shipped for this platform in its place.
  const { status } = spawnSync(
    'npm',
    ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    },
  );
  if (status !== 0) {
    console.error(
      'npm ci failed; is the npm registry reachable? Run "npm ci --include=dev --ignore-scripts" to see more.',
    );
    process.exit(1);
  }
  // That script moves the executable, so it must not run again where Bun works already.
  const works = () => spawnSync('node_modules/.bin/bun', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!works())
    spawnSync(process.execPath, ['install.js'], { cwd: 'node_modules/bun', stdio: ['ignore', 2, 2] });
  if (!works()) {
    console.error('Bun could not be set up: see the message above.');
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
