/** GET /images/{a}/diff/{b}: what differs, path by path, as one JSON document made while it is sent. */
import { compareTrees, type Difference } from '../../image/compare.ts';
import type { Services } from '../../methods/services.ts';
import type { ImageView } from '../../store/types.ts';
import { toJson } from '../../wire/json.ts';
import type { GenericInode } from '../../wire/messages/filesystem.ts';
import { Image } from '../../wire/messages/image.ts';
import { jsonOf } from '../reply.ts';
import { streamedText } from '../text-stream.ts';
import { BothTrees } from './both-trees.ts';
import { checkConditions, entryNamed } from './read-image.ts';
import { inodeFields } from './tree.ts';

/** Fields that differ between any two images. */
const ALWAYS = new Set(['FileSystem', 'CreatedOn', 'CreatedBy']);

/** Names of the fields of the images themselves that differ. */
function differingFields(left: ImageView, right: ImageView): string[] {
  return [...Image.fields]
    .filter(([name]) => !ALWAYS.has(name))
    .filter(([name, { schema }]) => {
      const of = (image: ImageView) => toJson(schema, image[name as keyof Image]);
      return of(left) !== of(right);
    })
    .map(([name]) => name);
}

function differenceJson({ path, left, right, fields }: Difference): string {
  const side = (inode: GenericInode | undefined) => (inode ? inodeFields(inode) : null);
  return jsonOf({ Path: path, Fields: fields, Left: side(left), Right: side(right) });
}

function* pieces(names: readonly [string, string], left: ImageView, right: ImageView): Generator<string> {
  const counts = { LeftOnly: 0, RightOnly: 0, Changed: 0 };
  yield `{"Left":${JSON.stringify(names[0])},"Right":${JSON.stringify(names[1])}`;
  yield `,"Fields":${JSON.stringify(differingFields(left, right))},"Differences":[`;
  let separator = '';
  if (left.FileSystem && right.FileSystem) {
    for (const difference of compareTrees(left.FileSystem, right.FileSystem)) {
      if (!difference) {
        // Lets the sender take a break.
        yield '';
        continue;
      }
      if (!difference.right) counts.LeftOnly++;
      else if (!difference.left) counts.RightOnly++;
      else counts.Changed++;
      yield `${separator}${differenceJson(difference)}`;
      separator = ',';
    }
  }
  yield `],"LeftOnly":${counts.LeftOnly},"RightOnly":${counts.RightOnly},"Changed":${counts.Changed}}\n`;
}

export async function imageDiff(
  request: Request,
  services: Services,
  name: string,
  other: string,
): Promise<Response> {
  const { images } = services;
  const left = entryNamed(images, name);
  const right = entryNamed(images, other);
  const etag = `"${left.identity.slice(0, 64)}-${right.identity.slice(0, 64)}"`;
  const headers = {
    etag: `W/${etag}`,
    'cache-control': 'private, no-cache',
    'content-type': 'application/json',
  };
  const unchanged = checkConditions(request, etag, headers);
  if (unchanged) return unchanged;
  const { signal } = request;
  const both = new BothTrees(await images.tree(left.name, signal), await images.tree(right.name, signal));
  const text = pieces([left.name, right.name], both.left.image, both.right.image);
  return streamedText(request, text, headers, both);
}
