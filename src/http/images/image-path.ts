/**
 * What a path below /images/ means. Names contain slashes, which may be written as they are or as %2F. Which part of
 * the path is the name is decided by which images there are: a path that is wholly the name of an image is that image;
 * else the name ends before a segment `files`, `tree` or `diff`, or before a last `.tar` or `.tar.gz`. No image lies
 * below another (their files would be in each other's way), so at most one such reading exists.
 */
import { percentDecode } from '../percent.ts';

const ASPECTS = ['files', 'tree', 'diff'] as const;
const ARCHIVES = ['.tar.gz', '.tar'] as const;

export interface ImagePath {
  readonly name: string;
  readonly aspect: 'image' | (typeof ASPECTS)[number] | (typeof ARCHIVES)[number];
  /** What follows the aspect, decoded, without a leading slash. */
  readonly rest: string;
}

/**
 * Reads what follows `/images/` in the path as sent. If no image is meant, the leftmost reading is answered, so that
 * the error names something sensible.
 */
export function resolveImagePath(raw: string, has: (name: string) => boolean): ImagePath {
  const segments = raw.split('/');
  const decoded = segments.map(percentDecode);
  const join = (from: number, to?: number) => decoded.slice(from, to).join('/');
  const whole = join(0);
  const readings: ImagePath[] = [{ name: whole, aspect: 'image', rest: '' }];
  segments.forEach((segment, index) => {
    const aspect = ASPECTS.find((one) => one === segment);
    if (aspect && index > 0) readings.push({ name: join(0, index), aspect, rest: join(index + 1) });
  });
  for (const aspect of ARCHIVES)
    if (whole.endsWith(aspect) && whole.length > aspect.length)
      readings.push({ name: whole.slice(0, -aspect.length), aspect, rest: '' });
  return readings.find((reading) => has(reading.name)) ?? readings[1] ?? (readings[0] as ImagePath);
}
