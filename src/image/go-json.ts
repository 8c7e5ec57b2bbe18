/** Reads JSON and says what is wrong with it in the words of Go's decoder, which people and scripts know. */

const SPACE = /[ \t\r\n]/;
const ESCAPES = '"\\/bfnrt';

function quoted(char: string): string {
  if (char === "'") return `'\\''`;
  return `'${JSON.stringify(char).slice(1, -1).replace('\\"', '"')}'`;
}

class Fault extends Error {}

/** Walks one value; throws a Fault at the first character that cannot be. */
class Scanner {
  #at = 0;
  constructor(readonly text: string) {}

  #char(): string {
    const char = this.text[this.#at];
    if (char === undefined) throw new Fault('unexpected EOF');
    return char;
  }
  #fail(context: string): never {
    throw new Fault(
      `invalid character ${quoted(String.fromCodePoint(this.text.codePointAt(this.#at) as number))} ${context}`,
    );
  }
  #space(): void {
    while (SPACE.test(this.text[this.#at] ?? '')) this.#at++;
  }
  #next(): string {
    this.#space();
    return this.#char();
  }

  /** The text of the first value. */
  document(): string {
    this.#space();
    if (this.#at >= this.text.length) throw new Fault('EOF');
    const start = this.#at;
    this.value();
    return this.text.slice(start, this.#at);
  }
  value(): void {
    const char = this.#next();
    if (char === '{') this.#object();
    else if (char === '[') this.#array();
    else if (char === '"') this.#string();
    else if (char === '-' || (char >= '0' && char <= '9')) this.#number();
    else if (char === 't') this.#literal('true');
    else if (char === 'f') this.#literal('false');
    else if (char === 'n') this.#literal('null');
    else this.#fail('looking for beginning of value');
  }
  #object(): void {
    this.#at++;
    if (this.#next() === '}') {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#next() !== '"') this.#fail('looking for beginning of object key string');
      this.#string();
      if (this.#next() !== ':') this.#fail('after object key');
      this.#at++;
      this.value();
      const char = this.#next();
      if (char !== ',' && char !== '}') this.#fail('after object key:value pair');
      this.#at++;
      if (char === '}') return;
    }
  }
  #array(): void {
    this.#at++;
    if (this.#next() === ']') {
      this.#at++;
      return;
    }
    for (;;) {
      this.value();
      const char = this.#next();
      if (char !== ',' && char !== ']') this.#fail('after array element');
      this.#at++;
      if (char === ']') return;
    }
  }
  #string(): void {
    for (this.#at++; ; this.#at++) {
      const char = this.#char();
      if (char === '"') break;
      if (char < ' ') this.#fail('in string literal');
      if (char !== '\\') continue;
      this.#at++;
      const kind = this.#char();
      if (kind === 'u') {
        for (let digit = 0; digit < 4; digit++) {
          this.#at++;
          if (!/[0-9a-fA-F]/.test(this.#char())) this.#fail('in \\u hexadecimal character escape');
        }
      } else if (!ESCAPES.includes(kind)) this.#fail('in string escape code');
    }
    this.#at++;
  }
  #digits(context: string): void {
    if (!/\d/.test(this.#char())) this.#fail(context);
    while (/\d/.test(this.text[this.#at] ?? '')) this.#at++;
  }
  #number(): void {
    if (this.#char() === '-') this.#at++;
    if (this.#char() === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#char())) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }
  #literal(word: string): void {
    for (const char of word) {
      if (this.#char() !== char) this.#fail(`in literal ${word} (expecting ${quoted(char)})`);
      this.#at++;
    }
  }
}

/** The first JSON value of a text; like Go's decoder it does not look at what follows. Throws an Error with Go's words. */
export function parseGoJson(text: string): unknown {
  return JSON.parse(new Scanner(text).document());
}
