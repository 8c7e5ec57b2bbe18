/** The daemon's command line: flag files, flags, start, signals. */
import { existsSync, readFileSync } from 'node:fs';
import { asImageServerError } from '../errors.ts';
import { defaults, flagsHelp, HelpWanted, parseFlagFile, parseFlags, UsageError } from '../flags/flags.ts';
import { VERSION } from '../version.ts';
import { environmentArgs } from './environment.ts';
import { DAEMON_FLAGS, type DaemonFlags } from './flags.ts';
import { startDaemon } from './run.ts';

const FLAG_FILES = ['/etc/imageserver/flags.default', '/etc/imageserver/flags.extra'];

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function readFlags(args: readonly string[]): DaemonFlags {
  const flags = defaults(DAEMON_FLAGS);
  for (const file of FLAG_FILES)
    if (existsSync(file)) parseFlagFile(DAEMON_FLAGS, readFileSync(file, 'utf8'), file, flags);
  const rest = parseFlags(DAEMON_FLAGS, [...environmentArgs(process.env), ...args], flags);
  if (rest.length > 0) throw new UsageError(`unexpected argument: ${rest[0]}`);
  return flags;
}

/** The words for what stopped the start; system errors name what failed. */
function reason(thrown: unknown): string {
  const error = asImageServerError(thrown);
  return error.code === 'INTERNAL' ? String((error.cause as Error)?.message ?? error.cause) : error.message;
}

/** A first argument that is a word is a command; the part that makes certificates is loaded only then. */
async function runNamedCommand(name: string, args: readonly string[]): Promise<number | undefined> {
  const { TERMINAL } = await import('./commands/command.ts');
  if (name === 'init') return (await import('./commands/init.ts')).initCommand(args, TERMINAL);
  if (name === 'certificate')
    return (await import('./commands/certificate.ts')).certificateCommand(args, TERMINAL);
  return undefined;
}

/** Runs until it is told to stop; resolves with the exit status. */
export async function runDaemon(args: readonly string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const status = name.startsWith('-') || name === '' ? undefined : await runNamedCommand(name, rest);
  if (status !== undefined) return status;
  if (args.includes('-version') || args.includes('--version')) {
    process.stdout.write(`imageserver ${VERSION}\n`);
    return 0;
  }
  let flags: DaemonFlags;
  try {
    flags = readFlags(args);
  } catch (error) {
    if (error instanceof HelpWanted) {
      say(
        `Usage: imageserver [flags...] | imageserver init|certificate [flags...]\nFlags:\n${flagsHelp(DAEMON_FLAGS)}`,
      );
      return 0;
    }
    if (!(error instanceof UsageError)) throw error;
    say(`${error.message}\nRun "imageserver -h" for help.`);
    return 2;
  }
  if (process.getuid?.() === 0 && !flags.allowRoot) {
    say('Do not run the Image Server as root');
    return 1;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  let reload: () => void = () => undefined;
  process.on('SIGHUP', () => reload());
  try {
    const daemon = await startDaemon(flags);
    reload = daemon.reload;
    await daemon.ready;
    say(`Ready on ${flags.listenAddress}:${daemon.port}`);
    if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
    await daemon.close();
    return 0;
  } catch (thrown) {
    say(`imageserver: ${reason(thrown)}`);
    return 1;
  }
}
