/** What the commands that make images share: existence, filter, triggers, annotations, checks, submission. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { RE2JS } from 're2js';
import { ImageServerError } from '../errors.ts';
import { compileFilter, parseFilter } from '../image/filter.ts';
import { checkImageName } from '../image/names.ts';
import { findPath } from '../image/tree.ts';
import { zeroOf } from '../wire/gob/plan.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { type Annotation, type Filter, Image, type Triggers } from '../wire/messages/image.ts';
import {
  AddImageRequest,
  AddImageResponse,
  CheckImageRequest,
  CheckImageResponse,
} from '../wire/messages/imageserver.ts';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import type { Context } from './command.ts';
import { uploadFile } from './objects.ts';

export async function refuseExisting(context: Context, name: string): Promise<void> {
  checkImageName(name);
  const client = await context.client();
  const { ImageExists } = await client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, {
    ImageName: name,
  });
  if (ImageExists) throw new ImageServerError('IMAGE_EXISTS', 'image exists');
}

/** The empty name gives a sparse image (no filter). */
export function loadImageFilter(file: string): Filter | null {
  if (file === '') return null;
  const filter = parseFilter(readFileSync(file, 'utf8'));
  compileFilter(filter.FilterLines);
  return filter;
}

interface TriggerJson {
  MatchLines?: unknown;
  Service?: unknown;
  DoReboot?: unknown;
  HighImpact?: unknown;
  DoReload?: unknown;
  SortName?: unknown;
}

/** A trigger file: a JSON array; its expressions are checked here, where their author sees the error. */
export function loadTriggers(file: string): Triggers | null {
  if (file === '') return null;
  let list: TriggerJson[];
  try {
    list = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ImageServerError('INVALID_REQUEST', `error decoding triggers ${cause.message}`, { cause });
  }
  if (!Array.isArray(list))
    throw new ImageServerError('INVALID_REQUEST', 'error decoding triggers: not an array');
  return {
    Triggers: list.map((one) => {
      const MatchLines = Array.isArray(one.MatchLines) ? one.MatchLines.map(String) : [];
      for (const line of MatchLines)
        try {
          RE2JS.compile(`^${line}`);
        } catch (cause) {
          throw new ImageServerError(
            'INVALID_REQUEST',
            `error decoding triggers: ${(cause as Error).message}`,
            { cause },
          );
        }
      return {
        MatchLines,
        Service: String(one.Service ?? ''),
        SortName: String(one.SortName ?? ''),
        DoReboot: one.DoReboot === true,
        DoReload: one.DoReload === true,
        HighImpact: one.HighImpact === true,
      };
    }),
  };
}

/** A local file becomes an object, a URL stays one; anything else is a mistake. */
async function loadAnnotation(context: Context, value: string): Promise<Annotation | null> {
  if (value === '') return null;
  if (existsSync(value)) {
    if (statSync(value).isDirectory())
      throw new ImageServerError('INVALID_REQUEST', `read ${value}: is a directory`);
    return { Object: await uploadFile(await context.client(), value), URL: '' };
  }
  if (/^https?:\/\//.test(value)) return { Object: null, URL: value };
  throw new ImageServerError(
    'FILE_NOT_FOUND',
    `open ${value}: no such file or directory (a URL must begin with http:// or https://)`,
  );
}

const REQUIRED_TYPES: Record<string, readonly string[]> = {
  b: ['special'],
  c: ['special'],
  p: ['special'],
  d: ['directory'],
  f: ['regular', 'computed'],
  l: ['symlink'],
};

function checkRequiredPaths(tree: FileSystem, required: readonly string[]): void {
  for (const entry of required) {
    const [path = '', type = ''] = entry.split(':');
    const inode = findPath(tree, path);
    if (!inode) throw new ImageServerError('INVALID_IMAGE', `VerifyRequiredPaths(): missing path: ${path}`);
    if (REQUIRED_TYPES[type] && !REQUIRED_TYPES[type].includes(inode.Kind))
      throw new ImageServerError('INVALID_IMAGE', `VerifyRequiredPaths(): wrong type for path: ${path}`);
  }
}

/** An image made of a tree and the flags; annotations are uploaded. */
export async function makeImage(
  context: Context,
  parts: { tree: FileSystem; filter: Filter | null; triggers: Triggers | null; base?: Image },
): Promise<Image> {
  const { flags } = context;
  const image: Image = {
    ...((parts.base ?? zeroOf(Image)) as Image),
    Filter: parts.filter,
    Triggers: parts.triggers,
    FileSystem: parts.tree,
    CreatedBy: '',
    CreatedOn: ZERO_TIME,
    ExpiresAt: ZERO_TIME,
  };
  if (flags.releaseNotes) image.ReleaseNotes = await loadAnnotation(context, flags.releaseNotes);
  if (flags.buildLog) image.BuildLog = await loadAnnotation(context, flags.buildLog);
  return image;
}

/** Checks and submits; its objects must be on the server. */
export async function submitImage(context: Context, name: string, image: Image): Promise<void> {
  const { flags } = context;
  if (image.Filter && image.FileSystem) checkRequiredPaths(image.FileSystem, flags.requiredPaths);
  if (flags.expiresIn > 0n)
    image.ExpiresAt = timeFromMillis(Date.now() + Number(flags.expiresIn / 1_000_000n));
  const client = await context.client();
  try {
    await client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
      ImageName: name,
      Image: image,
    });
  } catch (cause) {
    if (!(cause instanceof ImageServerError)) throw cause;
    throw new ImageServerError(cause.code, `remote error: ${cause.message}`, { cause });
  }
}
