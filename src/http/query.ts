/** Query parameters: declared once, for reading and for the document. */
import { ImageServerError } from '../errors.ts';
import { queryParameter } from './openapi/operation.ts';

interface Parameter<T> {
  readonly description: string;
  readonly schema: object;
  /** Undefined if the text is not valid. */
  read(text: string): T | undefined;
}
type Declared = Readonly<Record<string, Parameter<unknown>>>;
type Values<D extends Declared> = { readonly [K in keyof D]?: D[K] extends Parameter<infer T> ? T : never };

export function textParameter(description: string): Parameter<string> {
  return { description, schema: { type: 'string' }, read: (text) => text };
}
export function choiceParameter<const C extends readonly string[]>(
  choices: C,
  description: string,
): Parameter<C[number]> {
  return {
    description,
    schema: { type: 'string', enum: choices },
    read: (text) => (choices.includes(text) ? (text as C[number]) : undefined),
  };
}
export function flagParameter(description: string): Parameter<boolean> {
  return {
    description,
    schema: { type: 'string', enum: ['true', 'false'] },
    read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  };
}
/** A whole number within limits, both included. */
export function numberParameter(minimum: number, maximum: number, description: string): Parameter<number> {
  return {
    description,
    schema: { type: 'integer', minimum, maximum },
    read(text) {
      const value = Number(text);
      return /^\d{1,15}$/.test(text) && value >= minimum && value <= maximum ? value : undefined;
    },
  };
}

/** The parameters of a request. Throws INVALID_REQUEST naming one that is unknown or not valid. */
export function readQuery<D extends Declared>(request: Request, declared: D): Values<D> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of new URL(request.url).searchParams) {
    const parameter = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (!parameter)
      throw new ImageServerError(
        'INVALID_REQUEST',
        `unknown parameter: ${JSON.stringify(name.slice(0, 100))}`,
      );
    const value = parameter.read(text);
    if (value === undefined)
      throw new ImageServerError(
        'INVALID_REQUEST',
        `bad value of parameter ${name}: ${JSON.stringify(text.slice(0, 100))}`,
      );
    values[name] = value;
  }
  return values as Values<D>;
}

/** For the document. */
export function queryParameters(declared: Declared) {
  return Object.entries(declared).map(([name, { description, schema }]) =>
    queryParameter(name, description, schema),
  );
}
