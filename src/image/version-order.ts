/** The order of names in listings: runs of digits compare as numbers, everything else by its bytes. */

const isDigit = (code: number) => code >= 48 && code <= 57;

/** Negative if `a` comes first. */
export function compareVersions(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(j);
    if (isDigit(x) && isDigit(y)) {
      let endA = i;
      let endB = j;
      while (endA < a.length && isDigit(a.charCodeAt(endA))) endA++;
      while (endB < b.length && isDigit(b.charCodeAt(endB))) endB++;
      const left = a.slice(i, endA).replace(/^0+/, '');
      const right = b.slice(j, endB).replace(/^0+/, '');
      if (left.length !== right.length) return left.length - right.length;
      if (left !== right) return left < right ? -1 : 1;
      i = endA;
      j = endB;
      continue;
    }
    // Surrogate pairs sort by code point like their UTF-8 bytes.
    const left = a.codePointAt(i) as number;
    const right = b.codePointAt(j) as number;
    if (left !== right) return left - right;
    i += left > 0xffff ? 2 : 1;
    j += right > 0xffff ? 2 : 1;
  }
  return a.length - i - (b.length - j);
}
