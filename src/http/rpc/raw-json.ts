/**
 * Takes the outermost level of a JSON text apart without touching what is inside, so that the parameters of a call can
 * be decoded from their own text, with every digit of 64-bit numbers. Throws SyntaxError on what is not JSON.
 */

const SPACE = /[ \t\r\n]*/y;

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}

/** Index after the string whose opening quote is at `at`. */
function skipString(text: string, at: number): number {
  for (let from = at + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new SyntaxError('unfinished string');
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 92) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

const MARKS = /["[\]{}]/g;
const SCALAR = /[^\s,\]}]+/y;

/** Index after the value that begins at `at`. */
function skipValue(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return skipString(text, at);
  if (first !== '{' && first !== '[') {
    SCALAR.lastIndex = at;
    if (!SCALAR.test(text)) throw new SyntaxError('a value is missing');
    return SCALAR.lastIndex;
  }
  let depth = 0;
  for (let from = at; ; ) {
    MARKS.lastIndex = from;
    const mark = MARKS.exec(text);
    if (!mark) throw new SyntaxError('unfinished value');
    if (mark[0] === '"') {
      from = skipString(text, mark.index);
      continue;
    }
    depth += mark[0] === '{' || mark[0] === '[' ? 1 : -1;
    from = mark.index + 1;
    if (depth === 0) return from;
  }
}

/** Calls `item` at the start of each comma-separated piece between the brackets; it returns the index after it. */
function eachPiece(text: string, open: string, close: string, item: (at: number) => number): void {
  let at = skipSpace(text, 0);
  if (text[at] !== open) throw new SyntaxError(`${open} expected`);
  at = skipSpace(text, at + 1);
  if (text[at] === close) at++;
  else {
    for (;;) {
      at = skipSpace(text, item(at));
      const mark = text[at++];
      if (mark === close) break;
      if (mark !== ',') throw new SyntaxError(`, or ${close} expected`);
      at = skipSpace(text, at);
    }
  }
  if (skipSpace(text, at) !== text.length) throw new SyntaxError('text after the value');
}

/** Members of a JSON object, each value as its own text; of repeated names the last counts. */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  eachPiece(text, '{', '}', (at) => {
    if (text[at] !== '"') throw new SyntaxError('a name is missing');
    const nameEnd = skipString(text, at);
    const colon = skipSpace(text, nameEnd);
    if (text[colon] !== ':') throw new SyntaxError(': expected');
    const start = skipSpace(text, colon + 1);
    const end = skipValue(text, start);
    members.set(JSON.parse(text.slice(at, nameEnd)) as string, text.slice(start, end));
    return end;
  });
  return members;
}

/** Items of a JSON array, each as its own text. */
export function rawItems(text: string): string[] {
  const items: string[] = [];
  eachPiece(text, '[', ']', (at) => {
    const end = skipValue(text, at);
    items.push(text.slice(at, end));
    return end;
  });
  return items;
}

/** True if the text's first character, space apart, opens an array. */
export function isArrayText(text: string): boolean {
  return text[skipSpace(text, 0)] === '[';
}
