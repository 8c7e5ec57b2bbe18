/** imagetool: flag files, flags, then one command of the table. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ERROR_KINDS } from '../errors.ts';
import {
  defaults,
  FlagFileError,
  HelpWanted,
  parseFlagFile,
  parseFlags,
  UsageError,
} from '../flags/flags.ts';
import { nearestWord } from '../flags/nearest.ts';
import { VERSION } from '../version.ts';
import { type Command, Context } from './command.ts';
import { Failure, toolError } from './errors.ts';
import { TOOL_FLAGS, type ToolFlags } from './flags.ts';
import { loadFilter } from './images.ts';
import { processIo, type ToolIo } from './io.ts';
import { COMMANDS } from './table.ts';
import { commandUsage, fullUsage } from './usage.ts';

/** The original refuses shorter lives. */
const MINIMUM_EXPIRATION = 15n * 60_000_000_000n;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

function readFlags(args: readonly string[]): { flags: ToolFlags; rest: string[] } {
  const flags = defaults(TOOL_FLAGS);
  for (const name of ['flags.default', 'flags.extra']) {
    const file = join(homedir(), '.config', 'imagetool', name);
    if (existsSync(file)) parseFlagFile(TOOL_FLAGS, readFileSync(file, 'utf8'), file, flags);
  }
  return { rest: parseFlags(TOOL_FLAGS, args, flags), flags };
}

const commandNamed = (name: string | undefined) => COMMANDS.find((one) => one.name === name);

/** The usage text for a command line with -h: of its command, else of all. */
function help(args: readonly string[]): string {
  const command = args.map(commandNamed).find((one) => one !== undefined);
  return command ? commandUsage(command) : fullUsage(COMMANDS);
}

function unknownCommand(name: string | undefined): string {
  if (name === undefined) return 'no command given; "imagetool help" shows all';
  const nearest = nearestWord(
    name,
    COMMANDS.map((one) => one.name),
  );
  return `unknown command: ${name}${nearest ? ` (did you mean ${nearest}?)` : ''}; "imagetool help" shows all`;
}

/** What the command line says is to be done: a command with its arguments, or an exit status with a text. */
type Plan =
  | { readonly command: Command; readonly args: string[]; readonly flags: ToolFlags }
  | { readonly status: number; readonly text: string };

function plan(args: readonly string[]): Plan {
  let flags: ToolFlags;
  let rest: string[];
  try {
    ({ flags, rest } = readFlags(args));
  } catch (error) {
    if (error instanceof HelpWanted) return { status: 0, text: help(args) };
    if (error instanceof FlagFileError) return { status: 1, text: error.message };
    if (error instanceof UsageError)
      return { status: 2, text: `${error.message}; "imagetool help" shows all flags` };
    throw error;
  }
  const [name, ...commandArgs] = rest;
  if (name === 'help') return { status: 0, text: help(commandArgs) };
  if (name === undefined) return { status: 2, text: unknownCommand(name) };
  if (flags.expiresIn > 0n && flags.expiresIn < MINIMUM_EXPIRATION)
    return { status: 2, text: 'Minimum expiration: 15m0s' };
  try {
    loadFilter(flags.filterFile);
  } catch (thrown) {
    return { status: 2, text: toolError(thrown).message };
  }
  const command = commandNamed(name);
  if (!command) return { status: 2, text: unknownCommand(name) };
  if (commandArgs.length < command.minArgs || commandArgs.length > command.maxArgs)
    return { status: 2, text: commandUsage(command) };
  return { command, args: commandArgs, flags };
}

/** Runs one command line (without the program's name); resolves with the exit status. */
export async function runTool(args: readonly string[], io: ToolIo = processIo): Promise<number> {
  if (args.some((arg) => /^--?version$/.test(arg))) {
    await io.out(`imagetool ${VERSION}\n`);
    return 0;
  }
  const planned = plan(args);
  if ('status' in planned) {
    io.say(planned.text);
    return planned.status;
  }
  const { command, flags } = planned;
  const context = new Context(flags, io);
  const interrupted = (signal: keyof typeof SIGNALS) => {
    context.progress.clear();
    context.undoAll();
    process.exit(SIGNALS[signal]);
  };
  for (const signal of Object.keys(SIGNALS)) process.once(signal, interrupted);
  try {
    return await command.run(context, planned.args);
  } catch (thrown) {
    const error = toolError(thrown);
    context.progress.clear();
    const doing = command.doing(planned.args);
    const prefix = error instanceof Failure ? '' : /\s$/.test(doing) ? doing : `${doing}: `;
    io.say(`Error ${prefix}${error.message}`);
    return flags.detailedExitCodes ? ERROR_KINDS[error.code].exit : 1;
  } finally {
    await context.close();
    for (const signal of Object.keys(SIGNALS)) process.off(signal, interrupted);
  }
}
