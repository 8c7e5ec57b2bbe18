/** Runs one command line of imagetool or objecttool. */
import { ERROR_KINDS, type ImageServerError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { Context } from './command.ts';
import { planCommand } from './command-line.ts';
import { Failure, toolError, Verbatim } from './errors.ts';
import { processIo, type ToolIo } from './io.ts';
import { IMAGE_TOOL, OBJECT_TOOL, type Program } from './program.ts';

/** Exit statuses by the shell's rule. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const NOBODY_READS = 141;

/** `Error <doing>: <cause>`; the colon is added unless the first part ends in white space. */
function failureText(error: ImageServerError, doing: string): string {
  if (error instanceof Verbatim) return error.message;
  if (error instanceof Failure) return `Error ${error.message}`;
  return `Error ${/\s$/.test(doing) ? doing : `${doing}: `}${error.message}`;
}

/** The reader of stdout went away, such as `head`: no reason to complain. */
function nobodyReads(thrown: unknown): boolean {
  const { code, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
  return code === 'EPIPE' && syscall === 'write';
}

/** What was asked for goes to stdout, such as into a pager. */
async function answer(io: ToolIo, text: string): Promise<number> {
  try {
    await io.out(`${text}\n`);
    return 0;
  } catch (thrown) {
    if (nobodyReads(thrown)) return NOBODY_READS;
    throw thrown;
  }
}

async function runProgram(program: Program, args: readonly string[], io: ToolIo): Promise<number> {
  if (args[0] === 'version' || args.some((arg) => /^--?version$/.test(arg)))
    return answer(io, `${program.name} ${VERSION}`);
  const plan = planCommand(program, args);
  if ('status' in plan) {
    if (plan.status === 0) return answer(io, plan.text);
    io.say(plan.text);
    return plan.status;
  }
  const { command, flags } = plan;
  const context = new Context(flags, io);
  const interrupted = (signal: keyof typeof SIGNALS) => {
    context.progress.clear();
    context.undoAll();
    process.exit(SIGNALS[signal]);
  };
  for (const signal of Object.keys(SIGNALS)) process.once(signal, interrupted);
  try {
    return await command.run(context, plan.args);
  } catch (thrown) {
    context.progress.clear();
    if (nobodyReads(thrown)) return NOBODY_READS;
    const error = toolError(thrown);
    io.say(failureText(error, command.doing(plan.args)));
    return flags.detailedExitCodes ? ERROR_KINDS[error.code].exit : 1;
  } finally {
    await context.close();
    for (const signal of Object.keys(SIGNALS)) process.off(signal, interrupted);
  }
}

/** imagetool. `args` without the program's name; resolves with the exit status. */
export function runTool(args: readonly string[], io: ToolIo = processIo): Promise<number> {
  return runProgram(IMAGE_TOOL, args, io);
}

/** objecttool, likewise. */
export function runObjectTool(args: readonly string[], io: ToolIo = processIo): Promise<number> {
  return runProgram(OBJECT_TOOL, args, io);
}
