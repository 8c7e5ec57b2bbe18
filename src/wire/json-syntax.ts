/** What Go's encoding/json says about a text that is not JSON: the first character that cannot be right, and where. */

/** As Go quotes a character in these messages. */
function quoted(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  const code = char.codePointAt(0) as number;
  if (code >= 0x20 && code !== 0x7f) return `'${char}'`;
  const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' };
  return `'${short[char] ?? `\\x${code.toString(16).padStart(2, '0')}`}'`;
}

const END = 'unexpected end of JSON input';

class Scanner {
  #at = 0;
  constructor(readonly text: string) {}

  #bad(context: string): string {
    const char = this.text[this.#at];
    return char === undefined ? END : `invalid character ${quoted(char)} ${context}`;
  }
  #space(): void {
    while (/[ \t\r\n]/.test(this.text[this.#at] ?? 'x')) this.#at++;
  }
  #take(char: string): boolean {
    if (this.text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  /** The error of the text as a whole. */
  error(): string {
    const error = this.#values();
    if (error) return error;
    this.#space();
    return this.#bad('after top-level value');
  }

  /** Scans one value without recursion; the error, or undefined if it is well-formed. */
  #values(): string | undefined {
    const open: ('{' | '[')[] = [];
    for (;;) {
      this.#space();
      if (this.#take('{')) {
        this.#space();
        if (!this.#take('}')) {
          open.push('{');
          const error = this.#key('looking for beginning of object key string');
          if (error) return error;
          continue;
        }
      } else if (this.#take('[')) {
        this.#space();
        if (!this.#take(']')) {
          open.push('[');
          continue;
        }
      } else {
        const error = this.#scalar();
        if (error) return error;
      }
      for (;;) {
        const around = open.at(-1);
        if (!around) return undefined;
        this.#space();
        if (this.#take(',')) {
          this.#space();
          const error = around === '{' ? this.#key('looking for beginning of object key string') : undefined;
          if (error) return error;
          break;
        }
        if (!this.#take(around === '{' ? '}' : ']'))
          return this.#bad(around === '{' ? 'after object key:value pair' : 'after array element');
        open.pop();
      }
    }
  }

  #key(context: string): string | undefined {
    if (this.text[this.#at] !== '"') return this.#bad(context);
    const error = this.#string();
    if (error) return error;
    this.#space();
    return this.#take(':') ? undefined : this.#bad('after object key');
  }

  #string(): string | undefined {
    this.#at++;
    for (;;) {
      const char = this.text[this.#at];
      if (char === undefined) return END;
      if (char < ' ') return this.#bad('in string literal');
      this.#at++;
      if (char === '"') return undefined;
      if (char !== '\\') continue;
      const escaped = this.text[this.#at] ?? '';
      if (escaped === 'u') {
        for (let digit = 0; digit < 4; digit++)
          if (!/[0-9a-fA-F]/.test(this.text[++this.#at] ?? ''))
            return this.#bad('in \\u hexadecimal character escape');
      } else if (!escaped || !'"\\/bfnrt'.includes(escaped)) return this.#bad('in string escape code');
      this.#at++;
    }
  }

  #scalar(): string | undefined {
    const char = this.text[this.#at] ?? '';
    if (char === '"') return this.#string();
    for (const word of ['true', 'false', 'null']) {
      if (char !== word[0]) continue;
      for (const letter of word) {
        if (this.text[this.#at] !== letter)
          return this.#bad(`in literal ${word} (expecting ${quoted(letter)})`);
        this.#at++;
      }
      return undefined;
    }
    return char === '-' || (char >= '0' && char <= '9')
      ? this.#number()
      : this.#bad('looking for beginning of value');
  }

  #number(): string | undefined {
    const digits = () => {
      const start = this.#at;
      while (/[0-9]/.test(this.text[this.#at] ?? '')) this.#at++;
      return this.#at > start;
    };
    const negative = this.#take('-');
    if (!this.#take('0') && !digits())
      return this.#bad(negative ? 'in numeric literal' : 'looking for beginning of value');
    if (this.#take('.') && !digits()) return this.#bad('after decimal point in numeric literal');
    if (this.#take('e') || this.#take('E')) {
      if (!this.#take('+')) this.#take('-');
      if (!digits()) return this.#bad('in exponent of numeric literal');
    }
    return undefined;
  }
}

/** Go's message for a text that does not parse. */
export function goSyntaxError(text: string): string {
  return new Scanner(text).error();
}
