/** Writes client/methods.ts from the table of methods: `bun client/generate.ts`. A test checks that it is up to date. */
import { join } from 'node:path';
import { AddObjectsBody, AddObjectsReply, GetObjectsReply } from '../src/http/rpc/object-messages.ts';
import type { Method } from '../src/methods/method.ts';
import { methods } from '../src/methods/table.ts';
import * as extensions from '../src/wire/messages/extensions.ts';
import * as image from '../src/wire/messages/image.ts';
import * as imageserver from '../src/wire/messages/imageserver.ts';
import * as logger from '../src/wire/messages/logger.ts';
import * as objectserver from '../src/wire/messages/objectserver.ts';

const MODULES: readonly (readonly [string, Record<string, unknown>])[] = [
  ['../src/http/rpc/object-messages.ts', { AddObjectsBody, AddObjectsReply, GetObjectsReply }],
  ['../src/wire/messages/extensions.ts', extensions],
  ['../src/wire/messages/image.ts', image],
  ['../src/wire/messages/imageserver.ts', imageserver],
  ['../src/wire/messages/logger.ts', logger],
  ['../src/wire/messages/objectserver.ts', objectserver],
];

/** Messages by the module that declares them, as far as they are used. */
const used = new Map<string, Set<string>>();

/** The name under which a message is exported. */
function nameOf(message: unknown): string {
  for (const [path, module] of MODULES)
    for (const [name, value] of Object.entries(module)) {
      if (value !== message) continue;
      used.set(path, (used.get(path) ?? new Set()).add(name));
      return name;
    }
  throw new Error('a message that is not exported');
}

/** Calls whose raw bytes travel inside the messages. */
const JSON_FORMS: Readonly<Record<string, readonly [unknown, unknown]>> = {
  'ObjectServer.AddObjects': [AddObjectsBody, AddObjectsReply],
  'ObjectServer.GetObjects': [objectserver.GetObjectsRequest, GetObjectsReply],
};

function entry(method: Method): { kind: 'CALLS' | 'LISTS'; text: string } | undefined {
  const doc = `  /** ${method.summary} */\n`;
  const call = (request: unknown, reply: unknown) =>
    ({
      kind: 'CALLS',
      text: `${doc}  '${method.name}': { request: ${nameOf(request)}, reply: ${nameOf(reply)} },`,
    }) as const;
  switch (method.shape) {
    case 'unary':
    case 'imageUpload':
      return call(method.request, method.reply);
    case 'lines':
      return { kind: 'LISTS', text: `${doc}  '${method.name}': { item: undefined },` };
    case 'stream':
      return method.live
        ? undefined
        : { kind: 'LISTS', text: `${doc}  '${method.name}': { item: ${nameOf(method.item)} },` };
    case 'channel': {
      const form = JSON_FORMS[method.name];
      return form && call(...form);
    }
  }
}

/** The text of client/methods.ts. */
export function generate(): string {
  used.clear();
  const entries = [...methods.values()].map(entry).filter((one) => one !== undefined);
  const table = (kind: string) =>
    entries
      .filter((one) => one.kind === kind)
      .map(({ text }) => text)
      .join('\n');
  const calls = table('CALLS');
  const lists = table('LISTS');
  const imports = MODULES.filter(([path]) => used.has(path)).map(
    ([path]) => `import { ${[...(used.get(path) ?? [])].sort().join(', ')} } from '${path}';`,
  );
  return `/** Made by \`bun client/generate.ts\` from the table of methods; not to be edited. */
${imports.join('\n')}

/** Calls with one request and one reply. */
export const CALLS = {
${calls}
} as const;

/** Calls that list: an item's message, or undefined where the items are names. */
export const LISTS = {
${lists}
} as const;
`;
}

if (import.meta.main) {
  const path = join(import.meta.dir, 'methods.ts');
  await Bun.write(path, generate());
  Bun.spawnSync([join(import.meta.dir, '..', 'node_modules', '.bin', 'biome'), 'check', '--write', path]);
}
