/** Which program? One executable is both: the name it is called by, or the first argument, chooses. */
import { basename } from 'node:path';

const PROGRAMS = new Set(['imageserver', 'imagetool', 'objecttool']);

/** argv[0] is the runtime's own name in a compiled executable; the kernel's view tells how it was called. */
function calledAs(): string {
  return basename(process.argv0).replace(/\.exe$/, '');
}

async function main(): Promise<number> {
  let args = process.argv.slice(2);
  let program = calledAs();
  if (args[0] !== undefined && PROGRAMS.has(args[0])) {
    program = args[0];
    args = args.slice(1);
  }
  if (program === 'imagetool') {
    const { runTool } = await import('./tool/main.ts');
    return runTool(args);
  }
  if (program === 'objecttool') {
    const { runObjectTool } = await import('./tool/main.ts');
    return runObjectTool(args);
  }
  const { runDaemon } = await import('./daemon/main.ts');
  return runDaemon(args);
}

process.exitCode = await main();
