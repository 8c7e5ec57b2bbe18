/** The texts that say how to call the tool. */
import { flagsHelp } from '../flags/flags.ts';
import type { Command } from './command.ts';
import { TOOL_FLAGS } from './flags.ts';

function callOf({ name, args }: Command): string {
  return args === '' ? name : `${name} ${args}`;
}

export function commandUsage(command: Command): string {
  return `Usage: imagetool [flags...] ${callOf(command)}\n  ${command.summary}`;
}

export function fullUsage(commands: readonly Command[]): string {
  const sorted = commands.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const width = Math.max(...sorted.map((one) => callOf(one).length));
  const lines = sorted.map((one) => `  ${callOf(one).padEnd(width)}  ${one.summary}`);
  return `Usage: imagetool [flags...] command [args...]
Images are named, or given as i:NAME, d:DIRECTORY, f:FILE (an encoded tree) or l:FILE (an encoded image).
Commands:
${lines.join('\n')}
Flags:
${flagsHelp(TOOL_FLAGS)}`;
}
