/** The daemon's command line: flag files, flags, start, signals. */
import { existsSync, readFileSync } from 'node:fs';
import { defaults, flagsHelp, HelpWanted, parseFlagFile, parseFlags, UsageError } from '../flags/flags.ts';
import { didYouMean } from '../flags/nearest.ts';
import { VERSION } from '../version.ts';
import { environmentArgs } from './environment.ts';
import { DAEMON_FLAGS, type DaemonFlags } from './flags.ts';
import { startDaemon } from './run.ts';
import { serviceManager } from './service-manager.ts';
import { startProblem } from './start-problem.ts';

const FLAG_FILES = ['/etc/imageserver/flags.default', '/etc/imageserver/flags.extra'];

// Whoever reads help or a unit may leave early, such as `head`: no reason to end with a trace.
process.stdout.on('error', () => undefined);

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

const USAGE = `Usage: imageserver [flags...]                 serve
       imageserver init [flags...]            make directories, a CA and a server certificate
       imageserver certificate [flags...]     make a certificate for a user or another server
       imageserver check [flags...]           read everything while no server runs, name what is damaged
       imageserver unit [flags...]            print a unit for systemd
       imageserver help [init|certificate|check|unit]
       imageserver version
The programs imagetool and objecttool are the same file under other names (imageserver imagetool ...).`;

/** The commands; the part that makes certificates is loaded only when it is wanted. */
const COMMANDS: Record<string, (args: readonly string[]) => Promise<number>> = {
  async init(args) {
    const { TERMINAL } = await import('./commands/command.ts');
    return (await import('./commands/init.ts')).initCommand(args, TERMINAL);
  },
  async certificate(args) {
    const { TERMINAL } = await import('./commands/command.ts');
    return (await import('./commands/certificate.ts')).certificateCommand(args, TERMINAL);
  },
  async check(args) {
    const { TERMINAL } = await import('./commands/command.ts');
    return (await import('./commands/check.ts')).checkCommand(args, TERMINAL);
  },
  async unit(args) {
    const { TERMINAL } = await import('./commands/command.ts');
    return (await import('./commands/unit.ts')).unitCommand(args, TERMINAL);
  },
  async help([name]) {
    if (name !== undefined && name !== 'help') return runCommand(name, ['-h']);
    process.stdout.write(`${USAGE}\nFlags:\n${flagsHelp(DAEMON_FLAGS)}\n`);
    return 0;
  },
  async version() {
    process.stdout.write(`imageserver ${VERSION}\n`);
    return 0;
  },
};

async function runCommand(name: string, args: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command(args);
  say(`unknown command: ${name}${didYouMean(name, Object.keys(COMMANDS))}\nRun "imageserver help" for help.`);
  return 2;
}

/** Runs until it is told to stop; resolves with the exit status. */
export async function runDaemon(args: readonly string[]): Promise<number> {
  const [name = '', ...rest] = args;
  if (name !== '' && !name.startsWith('-')) return runCommand(name, rest);
  if (args.includes('-version') || args.includes('--version')) return runCommand('version', []);
  let flags: DaemonFlags;
  try {
    flags = readFlags(args);
  } catch (error) {
    if (error instanceof HelpWanted) return runCommand('help', []);
    if (!(error instanceof UsageError)) throw error;
    say(`${error.message}\nRun "imageserver -h" for help.`);
    return 2;
  }
  if (process.getuid?.() === 0 && !flags.allowRoot) {
    say(
      'Do not run the Image Server as root: start it as the user that owns its directories, or say -allowRoot',
    );
    return 1;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const stopped = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(undefined)),
  );
  let reload: () => void = () => undefined;
  process.on('SIGHUP', () => reload());
  try {
    const manager = serviceManager(process.env, say);
    const daemon = await startDaemon(flags);
    reload = daemon.reload;
    manager.ready('The port is open; the directories are being read');
    const ready = daemon.ready.then(() => {
      if (stop.signal.aborted) return;
      manager.status('Ready');
      say(`Ready on ${flags.listenAddress}:${daemon.port}`);
    });
    // A start that fails ends the server; a signal ends it at any time.
    const failed = ready.then(
      () => undefined,
      (thrown: unknown) => ({ thrown }),
    );
    const failure = await Promise.race([stopped, failed.then((found) => found ?? stopped)]);
    manager.stopping();
    await daemon.close();
    if (failure) throw failure.thrown;
    return 0;
  } catch (thrown) {
    say(`imageserver: ${startProblem(thrown, flags)}`);
    return 1;
  }
}
