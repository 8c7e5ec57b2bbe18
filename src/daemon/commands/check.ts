/** `imageserver check`: reads everything in the directories while no server runs, and says what is not sound. */
import { asImageServerError } from '../../errors.ts';
import { booleanFlag, durationFlag, type FlagValues, flag, stringFlag } from '../../flags/flags.ts';
import { formatBytes } from '../../image/format.ts';
import { openStores } from '../../store/open.ts';
import { startProblem } from '../start-problem.ts';
import { CommandError, type CommandIo, runCommand } from './command.ts';

const FLAGS = {
  imageDir: flag(stringFlag, '/var/lib/imageserver', 'Image directory'),
  objectDir: flag(stringFlag, '/var/lib/objectserver', 'Object directory'),
  trashGracePeriod: flag(durationFlag, 86_400_000_000_000n, 'As the server has it: what is older goes'),
  allowRoot: flag(booleanFlag, false, 'Run as root nevertheless: new files will be hers'),
} as const;

async function check(flags: FlagValues<typeof FLAGS>, io: CommandIo): Promise<void> {
  if (process.getuid?.() === 0 && !flags.allowRoot)
    throw new CommandError('run it as the user that owns the directories, or say -allowRoot');
  const stores = await openStores({
    imageDirectory: flags.imageDir,
    objectDirectory: flags.objectDir,
    trashGraceMs: Number(flags.trashGracePeriod / 1_000_000n),
    minFreeBytes: 0,
    scrubBytesPerSecond: 0,
  });
  try {
    await stores.ready;
    await stores.scrub.runWhole();
    const { images, objects } = stores;
    const { objects: count, bytes, missingObjects } = objects.totals();
    const damages = stores.damages();
    for (const { kind, what, reason } of damages) io.out(`${kind} ${what}: ${reason}`);
    if (missingObjects > 0) io.out(`${missingObjects} objects that images refer to are not here`);
    io.out(`${images.size} images, ${count} objects, ${formatBytes(BigInt(bytes))}, all read`);
    if (damages.length > 0 || missingObjects > 0)
      throw new CommandError('not everything is sound: docs/operations.md says what to do about damage');
  } finally {
    await stores.close();
  }
}

async function run(flags: FlagValues<typeof FLAGS>, io: CommandIo): Promise<void> {
  try {
    await check(flags, io);
  } catch (thrown) {
    if (thrown instanceof CommandError) throw thrown;
    throw new CommandError(startProblem(asImageServerError(thrown), { portNum: 0, listenAddress: '' }), {
      cause: thrown,
    });
  }
}

export function checkCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runCommand(
    {
      name: 'check',
      summary:
        'Reads every image and object while no server runs; what is damaged is set aside as the server would do it.',
      flags: FLAGS,
      run,
    },
    args,
    io,
  );
}
