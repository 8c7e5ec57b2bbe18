/**
 * Takes the outermost level of a JSON text apart without touching what is inside, so that the parameters of a call can
 * be decoded from their own text, with every digit of 64-bit numbers. Throws SyntaxError on what is not JSON.
 */

const SPACE = /[ \t\r\n]*/y;

export function skipSpace(text: string, at: number): number {
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
export function skipValue(text: string, at: number): number {
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

/**
 * The pieces between the brackets that open at `at`: yields where each begins, and is told by `next` where it ended.
 * Returns the index after the closing bracket.
 */
function* pieces(text: string, from: number, open: string, close: string): Generator<number, number, number> {
  let at = skipSpace(text, from);
  if (text[at] !== open) throw new SyntaxError(`${open} expected`);
  at = skipSpace(text, at + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    at = skipSpace(text, yield at);
    const mark = text[at++];
    if (mark === close) return at;
    if (mark !== ',') throw new SyntaxError(`, or ${close} expected`);
    at = skipSpace(text, at);
  }
}

/** Calls `item` at the start of each piece of a whole text; it returns the index after it. */
function eachPiece(text: string, open: string, close: string, item: (at: number) => number): void {
  const walk = pieces(text, 0, open, close);
  let step = walk.next(0);
  while (!step.done) step = walk.next(item(step.value));
  if (skipSpace(text, step.value) !== text.length) throw new SyntaxError('text after the value');
}

/** The name at `at`, and where its value begins. */
function memberName(text: string, at: number): { name: string; start: number } {
  if (text[at] !== '"') throw new SyntaxError('a name is missing');
  const nameEnd = skipString(text, at);
  const colon = skipSpace(text, nameEnd);
  if (text[colon] !== ':') throw new SyntaxError(': expected');
  return { name: JSON.parse(text.slice(at, nameEnd)) as string, start: skipSpace(text, colon + 1) };
}

export interface Member {
  readonly name: string;
  /** Where its value begins. */
  readonly start: number;
}

/**
 * Members of the object that begins at `at`, one by one: yields each, and is told by `next` where its value ended, or
 * undefined to have it skipped. Returns the index after the object.
 */
export function* walkMembers(text: string, at: number): Generator<Member, number, number | undefined> {
  const walk = pieces(text, at, '{', '}');
  let step = walk.next(0);
  while (!step.done) {
    const member = memberName(text, step.value);
    step = walk.next((yield member) ?? skipValue(text, member.start));
  }
  return step.value;
}

/** Members of a JSON object, each value as its own text; of repeated names the last counts. */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  eachPiece(text, '{', '}', (at) => {
    const { name, start } = memberName(text, at);
    const end = skipValue(text, start);
    members.set(name, text.slice(start, end));
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
