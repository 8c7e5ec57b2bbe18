/** What the commands that make images share: existence, filter, triggers, annotations, the tree's finish, submission. */
import { statSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import {
  type ComputedFiles,
  parseComputedFiles,
  parseComputedFilesJson,
  spliceComputedFiles,
} from '../image/computed-files.ts';
import { copyMtimes } from '../image/copy-mtimes.ts';
import { compileFilter, parseFilter } from '../image/filter.ts';
import { checkImageName } from '../image/names.ts';
import { checkRequiredPaths } from '../image/required-paths.ts';
import { parseTriggers } from '../image/triggers.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { Annotation, Filter, Image, Triggers } from '../wire/messages/image.ts';
import {
  AddImageRequest,
  AddImageResponse,
  CheckImageRequest,
  CheckImageResponse,
} from '../wire/messages/imageserver.ts';
import { ZERO_TIME } from '../wire/time.ts';
import type { Context } from './command.ts';
import { prefixed } from './errors.ts';
import { fetchTree } from './images.ts';
import { readTextFile } from './text-file.ts';
import { expiryTime } from './time-text.ts';
import { uploadFile } from './upload.ts';

/** What comes with a new image besides its tree. */
export interface Extras {
  readonly filter: Filter | null;
  readonly triggers: Triggers | null;
  readonly releaseNotes: Annotation | null;
  readonly buildLog: Annotation | null;
}

export async function imageExists(context: Context, name: string): Promise<boolean> {
  const client = await context.client();
  const reply = await client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, {
    ImageName: name,
  });
  return reply.ImageExists;
}

/** Throws INVALID_NAME, IMAGE_EXISTS. */
export async function refuseExisting(context: Context, name: string): Promise<void> {
  checkImageName(name);
  if (await imageExists(context, name)) throw new ImageServerError('IMAGE_EXISTS', 'image exists');
}

/** The empty name gives a sparse image (no filter). */
function loadImageFilter(file: string): Filter | null {
  if (file === '') return null;
  const filter = parseFilter(readTextFile(file));
  compileFilter(filter.FilterLines);
  return filter;
}

/** The empty name gives none. */
function loadTriggers(file: string): Triggers | null {
  return file === '' ? null : parseTriggers(readTextFile(file));
}

/** A local file becomes an object, a URL stays one; anything else is a mistake. */
async function loadAnnotation(context: Context, value: string): Promise<Annotation | null> {
  if (value === '') return null;
  const stat = statSync(value, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw new ImageServerError('INVALID_REQUEST', `read ${value}: is a directory`);
  if (stat) return { Object: await uploadFile(context, value), URL: '' };
  if (/^https?:\/\//.test(value)) return { Object: null, URL: value };
  throw new ImageServerError(
    'FILE_NOT_FOUND',
    `open ${value}: no such file or directory (a URL begins with http:// or https://)`,
  );
}

/** Loads filter and triggers by their files and the annotations by their flags; objects of these are uploaded. */
export async function loadExtras(context: Context, filterFile: string, triggerFile: string): Promise<Extras> {
  const filter = loadImageFilter(filterFile);
  const triggers = loadTriggers(triggerFile);
  return {
    filter,
    triggers,
    releaseNotes: await loadAnnotation(context, context.flags.releaseNotes),
    buildLog: await loadAnnotation(context, context.flags.buildLog),
  };
}

function loadComputedFiles(file: string): ComputedFiles {
  const text = readTextFile(file);
  return file.endsWith('.json') ? parseComputedFilesJson(text) : parseComputedFiles(text);
}

/** Makes files computed as -computedFiles says. */
export async function withComputedFiles(context: Context, tree: FileSystem): Promise<FileSystem> {
  const { computedFiles } = context.flags;
  if (computedFiles === '') return tree;
  const files = await prefixed('cannot load computed files: ', () => loadComputedFiles(computedFiles));
  return spliceComputedFiles(tree, files);
}

/** Takes the times of files that are the same from the image that -copyMtimesFrom names. */
export async function withCopiedMtimes(context: Context, tree: FileSystem): Promise<FileSystem> {
  const { copyMtimesFrom } = context.flags;
  return copyMtimesFrom === '' ? tree : copyMtimes(tree, await fetchTree(context, copyMtimesFrom));
}

/** A new image of a tree. */
export function makeImage(tree: FileSystem, extras: Extras): Image {
  return {
    BuildBranch: '',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: '',
    CreatedFor: '',
    Filter: extras.filter,
    FileSystem: tree,
    Triggers: extras.triggers,
    ReleaseNotes: extras.releaseNotes,
    BuildLog: extras.buildLog,
    CreatedOn: ZERO_TIME,
    ExpiresAt: ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [],
    SourceImage: '',
    Tags: null,
  };
}

/** Checks and submits; its objects must be on the server. Life and creation are those of a new image. */
export async function submitImage(context: Context, name: string, image: Image): Promise<void> {
  const { requiredPaths, expiresIn } = context.flags;
  if (image.Filter && image.FileSystem) checkRequiredPaths(image.FileSystem, requiredPaths);
  const ExpiresAt = expiryTime(expiresIn);
  const client = await context.client();
  await prefixed('remote error: ', () =>
    client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
      ImageName: name,
      Image: { ...image, CreatedBy: '', CreatedOn: ZERO_TIME, ExpiresAt },
    }),
  );
}
