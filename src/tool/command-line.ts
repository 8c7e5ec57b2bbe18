/** What a command line asks for: flag files, flags, then one command of the program's table. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  defaults,
  FlagFileError,
  HelpWanted,
  parseFlagFile,
  parseFlags,
  UsageError,
} from '../flags/flags.ts';
import { didYouMean } from '../flags/nearest.ts';
import type { Command } from './command.ts';
import { toolError } from './errors.ts';
import type { ToolFlags } from './flags.ts';
import { loadFilter } from './images.ts';
import type { Program } from './program.ts';
import { commandUsage, fullUsage } from './usage.ts';

/** The original refuses shorter lives. */
const MINIMUM_EXPIRATION = 15n * 60_000_000_000n;

/** A command with its arguments, or an exit status with a text: what was asked for (0), or what is wrong. */
export type Plan =
  | { readonly command: Command; readonly args: string[]; readonly flags: ToolFlags }
  | { readonly status: number; readonly text: string };

function commandNamed(program: Program, name: string): Command | undefined {
  return program.commands.find((one) => one.name === name);
}

/** `-h` anywhere: the usage text of the first command that is named, else of all. */
function helpWanted(program: Program, words: readonly string[]): Plan {
  for (const word of words) {
    const command = commandNamed(program, word);
    if (command) return { status: 0, text: commandUsage(program, command) };
  }
  return { status: 0, text: fullUsage(program) };
}

/** `help` and `help COMMAND`. */
function help(program: Program, name: string | undefined): Plan {
  if (name === undefined || name === 'help') return { status: 0, text: fullUsage(program) };
  const command = commandNamed(program, name);
  return command ? { status: 0, text: commandUsage(program, command) } : unknown(program, name);
}

function wrong(program: Program, text: string): Plan {
  const { name } = program;
  return {
    status: 2,
    text: `${text}\nRun "${name} help" to see all commands and flags, "${name} help COMMAND" for one.`,
  };
}

function unknown(program: Program, name: string): Plan {
  const names = program.commands.map((one) => one.name);
  return wrong(program, `unknown command: ${name}${didYouMean(name, [...names, 'help', 'version'])}`);
}

function readFlags(program: Program, args: readonly string[]): { flags: ToolFlags; rest: string[] } {
  const values = defaults(program.flags);
  for (const name of ['flags.default', 'flags.extra']) {
    const file = join(homedir(), '.config', program.name, name);
    if (existsSync(file)) parseFlagFile(program.flags, readFileSync(file, 'utf8'), file, values);
  }
  const rest = parseFlags(program.flags, args, values);
  return { rest, flags: program.settings(values) };
}

/** The checks come in the order of the original, so that the same mistake is reported first. */
export function planCommand(program: Program, args: readonly string[]): Plan {
  let flags: ToolFlags;
  let rest: string[];
  try {
    ({ flags, rest } = readFlags(program, args));
  } catch (error) {
    if (error instanceof HelpWanted) return helpWanted(program, args);
    if (error instanceof FlagFileError) return { status: 1, text: error.message };
    if (error instanceof UsageError) return wrong(program, error.message);
    throw error;
  }
  const [name, ...commandArgs] = rest;
  if (name === undefined) return wrong(program, 'no command given');
  if (name === 'help') return help(program, commandArgs[0]);
  if (flags.expiresIn > 0n && flags.expiresIn < MINIMUM_EXPIRATION)
    return { status: 2, text: 'Minimum expiration: 15m0s' };
  try {
    loadFilter(flags.filterFile);
  } catch (thrown) {
    return { status: 2, text: toolError(thrown).message };
  }
  const command = commandNamed(program, name);
  if (!command) return unknown(program, name);
  if (commandArgs.length < command.minArgs || commandArgs.length > command.maxArgs)
    return { status: 2, text: commandUsage(program, command) };
  return { command, args: commandArgs, flags };
}
