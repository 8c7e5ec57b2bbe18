/**
 * What `npm test` runs: types, lint, unused code, the build, then all tests (the whole-program ones against the compiled
 * executable too). Ends with a line `N passed, N failed, N skipped`.
 */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dir, '..');
const bin = join(root, 'node_modules', '.bin');
const report = join(tmpdir(), `imageserver-tests-${process.pid}.xml`);
let passed = 0;
let failed = 0;
let skipped = 0;

/** Runs one step with its output shown; counts it as one passed or failed check. */
async function step(name: string, command: string[]): Promise<void> {
  console.log(`--- ${name}`);
  const child = Bun.spawn(command, { cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' });
  if ((await child.exited) === 0) passed++;
  else {
    failed++;
    console.log(`FAILED: ${name}`);
  }
}

await step('types', [join(bin, 'tsc'), '--noEmit']);
await step('lint', [join(bin, 'biome'), 'ci', '--error-on-warnings', '.']);
await step('unused code', [join(bin, 'knip'), '--treat-config-hints-as-errors']);
await step('build', ['sh', 'build.sh']);

console.log('--- tests');
const tests = Bun.spawn(
  [
    process.execPath,
    'test',
    '--timeout=120000',
    '--reporter=junit',
    `--reporter-outfile=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
);
const status = await tests.exited;
const xml = await Bun.file(report)
  .text()
  .catch(() => '');
rmSync(report, { force: true });
const summary = /<testsuites[^>]*>/.exec(xml)?.[0] ?? '';
const figure = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(summary)?.[1] ?? 0);
const failures = figure('failures') + figure('errors');
passed += figure('tests') - failures - figure('skipped');
skipped += figure('skipped');
failed += failures;
if (status !== 0 && failures === 0) {
  console.log(`FAILED: the test runner ended with status ${status}`);
  failed++;
}
if (figure('tests') === 0) {
  console.log('FAILED: no test ran');
  failed++;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
