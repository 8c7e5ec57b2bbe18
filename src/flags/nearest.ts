/** "Did you mean": the known word that is most like one that is not known. */

/** Edits (insert, drop, replace, swap neighbours) that turn one word into the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(
        (next[j - 1] as number) + 1,
        (row[j] as number) + 1,
        (row[j - 1] as number) + cost,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] as number) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}

/** The nearest of the known words, or undefined if none is near. Case does not count; a beginning is near. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  if (lower === '') return undefined;
  let best: string | undefined;
  let least = Math.floor(lower.length / 3) + 1;
  for (const one of known) {
    const edits = distance(lower, one.toLowerCase());
    if (edits < least) {
      least = edits;
      best = one;
    }
  }
  return best ?? known.find((one) => lower.length > 2 && one.toLowerCase().startsWith(lower));
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(word: string, known: readonly string[], prefix = ''): string {
  const found = nearestWord(word, known);
  return found === undefined ? '' : ` (did you mean ${prefix}${found}?)`;
}
