/**
 * Go's flag syntax: one or two dashes, `-name=value` or `-name value`, booleans only `-name` or `-name=true`. One
 * declaration gives parsing, defaults and help. Flags may stand anywhere; `--` ends them.
 */
import { didYouMean } from './nearest.ts';
import { formatDuration, parseDuration, parseSize } from './values.ts';

export interface FlagType<T> {
  readonly name: string;
  readonly parse: (text: string) => T;
  readonly format: (value: T) => string;
  readonly boolean?: true;
}
/** Go takes decimal, 0x, 0o and 0b. */
const number = (text: string): number => {
  if (!/^[+-]?(\d+|0x[\da-f]+|0o[0-7]+|0b[01]+)$/i.test(text)) throw new Error('parse error');
  const value = Number(text.replace(/^[+-]/, ''));
  if (!Number.isSafeInteger(value)) throw new Error('value out of range');
  return text.startsWith('-') ? -value : value;
};
export const booleanFlag: FlagType<boolean> = {
  name: '',
  boolean: true,
  parse: (text) => {
    if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
    if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
    throw new Error('parse error');
  },
  format: String,
};
export const stringFlag: FlagType<string> = {
  name: 'string',
  parse: (text) => text,
  format: (value) => JSON.stringify(value),
};
export const intFlag: FlagType<number> = { name: 'int', parse: number, format: String };
export const uintFlag: FlagType<number> = {
  name: 'uint',
  parse: (text) => {
    const value = number(text);
    if (value < 0) throw new Error('parse error');
    return value;
  },
  format: String,
};
export const durationFlag: FlagType<bigint> = {
  name: 'duration',
  parse: (text) => {
    try {
      return parseDuration(text);
    } catch (cause) {
      throw new Error('parse error', { cause });
    }
  },
  format: formatDuration,
};
export const sizeFlag: FlagType<number> = { name: 'size', parse: parseSize, format: String };
export const listFlag: FlagType<readonly string[]> = {
  name: 'list',
  parse: (text) => (text === '' ? [] : text.split(',')),
  format: (value) => value.join(','),
};

export interface Flag<T = unknown> {
  readonly type: FlagType<T>;
  readonly value: T;
  readonly help: string;
}
export function flag<T>(type: FlagType<T>, value: T, help: string): Flag<T> {
  return { type, value, help };
}

// biome-ignore lint/suspicious/noExplicitAny: a set holds flags of every type
export type FlagSet = Readonly<Record<string, Flag<any>>>;
export type FlagValues<F extends FlagSet> = {
  -readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A wrong command line: exit status 2. */
export class UsageError extends Error {}
/** `-h` was given. */
export class HelpWanted extends Error {}

/** A wrong line of a flag file. */
export class FlagFileError extends UsageError {}

/** The declared name: words joined by dashes (`-no-same-owner`) stand for the flag of the same letters. */
function declaredName(flags: FlagSet, name: string): string | undefined {
  if (Object.hasOwn(flags, name)) return name;
  if (!name.includes('-')) return undefined;
  const letters = name.replaceAll('-', '').toLowerCase();
  return Object.keys(flags).find((one) => one.replaceAll('-', '').toLowerCase() === letters);
}

function assign(flags: FlagSet, values: Record<string, unknown>, name: string, text: string): void {
  const declared = flags[name] as Flag;
  try {
    values[name] = declared.type.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new UsageError(
      declared.type.boolean
        ? `invalid boolean value "${text}" for -${name}: ${message}`
        : `invalid value "${text}" for flag -${name}: ${message}`,
    );
  }
}

export function defaults<F extends FlagSet>(flags: F): FlagValues<F> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, declared]) => [name, declared.value]),
  ) as FlagValues<F>;
}

/** Parses a command line over `values`; returns what are not flags. Throws UsageError, HelpWanted. */
export function parseFlags<F extends FlagSet>(
  flags: F,
  args: readonly string[],
  values: FlagValues<F>,
): string[] {
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    if (arg === '--') return [...rest, ...args.slice(index + 1)];
    const match = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(arg);
    if (!match) {
      if (/^-./.test(arg) && !/^-\d/.test(arg)) throw new UsageError(`bad flag syntax: ${arg}`);
      rest.push(arg);
      continue;
    }
    const [, given = '', text] = match;
    const name = declaredName(flags, given);
    if (name === undefined) {
      if (given === 'h' || given === 'help') throw new HelpWanted();
      throw new UsageError(
        `flag provided but not defined: -${given}${didYouMean(given, Object.keys(flags), '-')}`,
      );
    }
    if (text !== undefined) assign(flags, values, name, text);
    else if ((flags[name] as Flag).type.boolean) assign(flags, values, name, 'true');
    else if (++index >= args.length) throw new UsageError(`flag needs an argument: -${name}`);
    else assign(flags, values, name, args[index] as string);
  }
  return rest;
}

/** Reads a flag file's text: `name=value` lines, comments with # or ;. Throws FlagFileError with file and line. */
export function parseFlagFile<F extends FlagSet>(
  flags: F,
  text: string,
  file: string,
  values: FlagValues<F>,
): void {
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const fail = (reason: string): never => {
      throw new FlagFileError(`${file}:${index + 1}: ${reason}`);
    };
    const equals = line.indexOf('=');
    if (equals < 0) fail(`bad line, cannot split name from value: ${line}`);
    const name = line.slice(0, equals).trim();
    if (/\s/.test(name)) fail(`bad line, name has whitespace: ${line}`);
    if (!Object.hasOwn(flags, name)) fail(`no such flag -${name}`);
    try {
      assign(flags, values, name, line.slice(equals + 1).trim());
    } catch (error) {
      fail((error as Error).message);
    }
  }
}

/** The help text of all flags, sorted. */
export function flagsHelp(flags: FlagSet): string {
  return Object.entries(flags)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { type, value, help }]) => {
      const kind = type.name ? ` ${type.name}` : '';
      const standard =
        value === '' || value === false || value === 0 ? '' : ` (default ${type.format(value)})`;
      return `  -${name}${kind}\n    \t${help}${standard}`;
    })
    .join('\n');
}
