/** What the documents name exists: flags, commands, metrics, files and other documents. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';

const root = join(import.meta.dir, '..');
const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
const textOf = (document: string) => readFileSync(join(root, document), 'utf8');
const help = async (program: 'imageserver' | 'imagetool' | 'objecttool', ...args: string[]) =>
  (await runProgram([...programCommand(program), 'help', ...args])).stdout;

let server: TestServer;
let helps = '';
let toolCommands: string[] = [];
beforeAll(async () => {
  // A replica, since that has all the metrics; its master is nowhere.
  server = await startServer({ args: ['-imageServerHostname=127.0.0.1', '-imageServerPortNum=1'] });
  const [tool, ...others] = await Promise.all([
    help('imagetool'),
    help('objecttool'),
    help('imageserver'),
    ...['init', 'certificate', 'check', 'unit'].map((name) => help('imageserver', name)),
  ]);
  helps = [tool, ...others].join('\n');
  toolCommands = [...tool.slice(0, tool.indexOf('Flags:')).matchAll(/^ {2}([a-z-]+)/gm)].map(
    ([, name]) => name as string,
  );
});
afterAll(() => server[Symbol.asyncDispose]());

test.each(documents)('%s: flags', (document) => {
  const known = new Set([...helps.matchAll(/^ {2}-([A-Za-z]\w*)/gm)].map(([, name]) => name as string));
  // `-name=value` stands for any of them. In code, at the beginning of a word: `-flag`, `--flag`, `-flag=value`.
  const code = [...textOf(document).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text as string);
  const named = code
    .filter((text) => /^(imageserver|imagetool|objecttool|-)/.test(text))
    .flatMap((text) => [...text.matchAll(/(?:^|\s)--?([a-zA-Z]\w{3,})/g)].map(([, name]) => name as string));
  expect(named.filter((name) => !known.has(name) && name !== 'name')).toEqual([]);
});
test.each(documents)('%s: commands of imagetool', (document) => {
  const named = [...textOf(document).matchAll(/\bimagetool(?: -\S+)* ([a-z][a-z-]+)/g)].map(
    ([, name]) => name as string,
  );
  const inCode = named.filter((name) => textOf(document).includes(`imagetool ${name}`));
  const prose = ['add', 'and', 'on', 'commands', 'with', 'from', 'of', 'is', 'come', 'help', 'another'];
  expect(inCode.filter((name) => !toolCommands.includes(name) && !prose.includes(name))).toEqual([]);
});
test.each(documents)('%s: other documents and files', (document) => {
  const links = [...textOf(document).matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path as string);
  const files = [...textOf(document).matchAll(/`((?:src|test|bench|docs|client)\/[\w./-]+\.\w+)`/g)].map(
    ([, path]) => join(root, path as string),
  );
  const missing = [
    ...links.filter((path) => !path.includes('://')).map((path) => join(root, dirname(document), path)),
    ...files,
  ].filter((path) => !existsSync(path));
  expect(missing).toEqual([]);
});
test('metrics to watch', async () => {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const named = new Set([...textOf('docs/operations.md').matchAll(/imageserver_\w+/g)].map(([name]) => name));
  expect(named.size).toBeGreaterThan(10);
  expect([...named].filter((name) => !metrics.includes(`# TYPE ${name} `))).toEqual([]);
});
