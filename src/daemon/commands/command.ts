/** What commands of the daemon's executable have in common: flags in, words out, an exit status. */
import {
  defaults,
  type FlagSet,
  type FlagValues,
  flagsHelp,
  HelpWanted,
  parseFlags,
  UsageError,
} from '../../flags/flags.ts';

/** Where words go; tests collect them. */
export interface CommandIo {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

export const TERMINAL: CommandIo = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
};

/** Something is in the way; the message says what and what to do. */
export class CommandError extends Error {}

interface Declaration<F extends FlagSet> {
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
  readonly run: (flags: FlagValues<F>, io: CommandIo) => Promise<void>;
}

/** Runs a command on its arguments; resolves with the exit status: 0, 1 (failed), 2 (wrong use). */
export async function runCommand<F extends FlagSet>(
  command: Declaration<F>,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  const { name, summary } = command;
  const flags = defaults(command.flags);
  try {
    const [extra] = parseFlags(command.flags, args, flags);
    if (extra !== undefined) throw new UsageError(`unexpected argument: ${extra}`);
    await command.run(flags, io);
    return 0;
  } catch (error) {
    if (error instanceof HelpWanted) {
      io.out(`Usage: imageserver ${name} [flags...]\n${summary}\nFlags:\n${flagsHelp(command.flags)}`);
      return 0;
    }
    if (error instanceof UsageError) {
      io.err(`${error.message}\nRun "imageserver ${name} -h" for help.`);
      return 2;
    }
    io.err(`imageserver ${name}: ${(error as Error).message}`);
    return 1;
  }
}
