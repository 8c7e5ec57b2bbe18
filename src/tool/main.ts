/** imagetool: flags, then one command of the table. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { asImageServerError, ERROR_KINDS } from '../errors.ts';
import { defaults, flagsHelp, HelpWanted, parseFlagFile, parseFlags, UsageError } from '../flags/flags.ts';
import { Context, DialError } from './command.ts';
import { TOOL_FLAGS, type ToolFlags } from './flags.ts';
import { COMMANDS } from './table.ts';

/** The original refuses shorter lives. */
const MINIMUM_EXPIRATION = 15n * 60_000_000_000n;

function usage(): string {
  const width = Math.max(...COMMANDS.map((one) => `${one.name} ${one.args}`.length));
  const commands = COMMANDS.map((one) => `  ${`${one.name} ${one.args}`.padEnd(width)}  ${one.summary}`);
  return `Usage: imagetool [flags...] command [args...]\nCommands:\n${commands.join('\n')}\nFlags:\n${flagsHelp(TOOL_FLAGS)}\n`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function readFlags(args: readonly string[]): { flags: ToolFlags; rest: string[] } {
  const flags = defaults(TOOL_FLAGS);
  for (const name of ['flags.default', 'flags.extra']) {
    const file = join(homedir(), '.config', 'imagetool', name);
    if (existsSync(file)) parseFlagFile(TOOL_FLAGS, readFileSync(file, 'utf8'), file, flags);
  }
  return { rest: parseFlags(TOOL_FLAGS, args, flags), flags };
}

/** The message of whatever was thrown; system errors name what failed. */
function messageOf(thrown: unknown): string {
  const system = thrown as NodeJS.ErrnoException;
  if (system.syscall && system.code) {
    const texts: Record<string, string> = {
      ENOENT: 'no such file or directory',
      EACCES: 'permission denied',
      EPERM: 'operation not permitted',
      EEXIST: 'file exists',
    };
    return `${system.syscall} ${system.path ?? ''}: ${texts[system.code] ?? system.code}`;
  }
  return (thrown as Error).message;
}

/** Runs one command line; resolves with the exit status. */
export async function runTool(args: readonly string[]): Promise<number> {
  let flags: ToolFlags;
  let rest: string[];
  try {
    ({ flags, rest } = readFlags(args));
  } catch (error) {
    if (error instanceof HelpWanted) {
      process.stderr.write(usage());
      return 0;
    }
    if (!(error instanceof UsageError)) throw error;
    say(`${error.message}\nRun "imagetool -h" for help.`);
    return 2;
  }
  const [name, ...commandArgs] = rest;
  const command = COMMANDS.find((one) => one.name === name);
  if (!command) {
    say(
      name === undefined
        ? 'No command given. Run "imagetool -h" for help.'
        : `Unknown command: ${name}. Run "imagetool -h" for help.`,
    );
    return 2;
  }
  if (commandArgs.length < command.minArgs || commandArgs.length > command.maxArgs) {
    say(`Usage: imagetool [flags...] ${command.name} ${command.args}\n  ${command.summary}`);
    return 2;
  }
  if (flags.expiresIn > 0n && flags.expiresIn < MINIMUM_EXPIRATION) {
    say('Minimum expiration: 15m0s');
    return 2;
  }
  const context = new Context(flags);
  try {
    return await command.run(context, commandArgs);
  } catch (thrown) {
    const error = asImageServerError(thrown);
    const message = error.code === 'INTERNAL' ? messageOf(error.cause ?? error) : error.message;
    say(
      error instanceof DialError
        ? `Error dialing: ${message}`
        : `Error ${command.doing(commandArgs)}: ${message}`,
    );
    return flags.detailedExitCodes ? ERROR_KINDS[error.code].exit : 1;
  } finally {
    await context.close();
  }
}
