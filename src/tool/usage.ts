/** The texts that say how to call a program. */
import { flagsHelp } from '../flags/flags.ts';
import type { Command } from './command.ts';
import type { Program } from './program.ts';

function callOf({ name, args }: Command): string {
  return args === '' ? name : `${name} ${args}`;
}

export function commandUsage(program: Program, command: Command): string {
  return `Usage: ${program.name} [flags...] ${callOf(command)}\n  ${command.summary}\nRun "${program.name} help" to see all commands and flags.`;
}

export function fullUsage({ name, about, commands, flags }: Program): string {
  const sorted = commands.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const width = Math.max(...sorted.map((one) => callOf(one).length));
  const lines = sorted.map((one) => `  ${callOf(one).padEnd(width)}  ${one.summary}`);
  return `Usage: ${name} [flags...] command [args...]
${about}
Commands:
${lines.join('\n')}
Flags:
${flagsHelp(flags)}`;
}
