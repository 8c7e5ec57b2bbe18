/** The programs that are made of a table of commands. */
import { defaults, type FlagSet, type FlagValues } from '../flags/flags.ts';
import type { Command } from './command.ts';
import { OBJECT_ONLY_FLAGS, OBJECT_TOOL_FLAGS, TOOL_FLAGS, type ToolFlags } from './flags.ts';
import { OBJECT_COMMANDS } from './object-table.ts';
import { COMMANDS } from './table.ts';

export interface Program {
  readonly name: string;
  /** Lines of the usage text about the arguments that commands have in common. */
  readonly about: string;
  readonly flags: FlagSet;
  readonly commands: readonly Command[];
  /** What the commands go by, from the values of this program's flags. */
  readonly settings: (values: FlagValues<FlagSet>) => ToolFlags;
}

export const IMAGE_TOOL: Program = {
  name: 'imagetool',
  about: `Images are named, or given as i:NAME, d:DIRECTORY, f:FILE (an encoded tree), l:FILE (an encoded image),
s:HOST[:PORT] (a machine with a running subd) or v:HOST (a virtual machine, scanned by its hypervisor).`,
  flags: TOOL_FLAGS,
  commands: COMMANDS,
  settings: (values) => ({
    ...defaults(OBJECT_ONLY_FLAGS),
    ...(values as FlagValues<typeof TOOL_FLAGS>),
  }),
};

export const OBJECT_TOOL: Program = {
  name: 'objecttool',
  about: 'Objects are named by their SHA-512, 128 hex digits.',
  flags: OBJECT_TOOL_FLAGS,
  commands: OBJECT_COMMANDS,
  settings(values) {
    const { objectServerHostname, objectServerPortNum, ...rest } = values as FlagValues<
      typeof OBJECT_TOOL_FLAGS
    >;
    return {
      ...defaults(TOOL_FLAGS),
      ...rest,
      imageServerHostname: objectServerHostname,
      imageServerPortNum: objectServerPortNum,
    };
  },
};
