/**
 * Makes the function that writes a struct: straight code, one step for each field, zero values left out. Everything in
 * the code comes from our own declarations.
 */
import type { Schema, StructSchema } from '../schema.ts';
import { type GoTime, isZeroTime } from '../time.ts';
import type { Output, Write } from './value-writer.ts';
import { HASH_BYTES, NUMBER_BYTES, TIME_BYTES } from './writer.ts';
import { ZERO_HASH } from './zero.ts';

/** True for the times that Go leaves out. */
const isOmittedTime = (time: GoTime) => time.offset === undefined && isZeroTime(time);

/** Bytes that numbers, hashes and times of a struct take at most, with the deltas before the fields. */
function fixedBytes(schema: StructSchema): number {
  let bytes = NUMBER_BYTES;
  for (const { schema: field } of schema.fields.values())
    bytes +=
      NUMBER_BYTES + (field.kind === 'hash' ? HASH_BYTES : field.kind === 'time' ? TIME_BYTES : NUMBER_BYTES);
  return bytes;
}

/** Code that writes the field `x`. `b` buffer, `p` position, `w` output. */
function writeCode(schema: Schema, index: number, label: string): string {
  const through = (call: string) => `w.length = p; ${call}; w.reserve(fixed); b = w.buffer; p = w.length;`;
  switch (schema.kind) {
    case 'bool':
      return 'b[p++] = 1;';
    case 'uint':
      if (schema.bits === 64)
        return `n = Number(x); if (n > 0 && n < 128) b[p++] = n; else { w.length = p; w.bigUint(x); p = w.length; }`;
      return `if ((x & 127) === x) b[p++] = x; else { check(x, 0, ${2 ** schema.bits - 1}, ${label}); w.length = p; w.uint(x); p = w.length; }`;
    case 'int':
      if (schema.bits === 64)
        return `n = Number(x); if (n > 0 && n < 64) b[p++] = n << 1; else { w.length = p; w.bigInt(x); p = w.length; }`;
      return `if ((x & 63) === x) b[p++] = x << 1; else { check(x, ${-(2 ** (schema.bits - 1))}, ${2 ** (schema.bits - 1) - 1}, ${label}); w.length = p; w.int(x); p = w.length; }`;
    case 'string':
      return through('w.text(x)');
    case 'hash':
      return 'w.length = p; w.hash(x); p = w.length;';
    case 'time':
      return 'w.length = p; w.time(x); p = w.length;';
    default:
      return through(`writes[${index}](w, x)`);
  }
}

/** Code that is true if the field `x` goes out. */
function sentCode(schema: Schema): string {
  switch (schema.kind) {
    case 'bool':
    case 'string':
      return 'x';
    case 'int':
    case 'uint':
      return schema.bits === 64 ? 'x !== 0n && x !== undefined' : 'x !== 0 && x !== undefined';
    case 'float':
      return 'x !== undefined && (x !== 0 || 1 / x < 0)';
    case 'complex':
      return 'x !== undefined && (x[0] !== 0 || x[1] !== 0)';
    case 'bytes':
    case 'slice':
      return 'x != null && x.length > 0';
    case 'time':
      return 'x !== undefined && !omittedTime(x)';
    case 'map':
    case 'pointer':
    case 'union':
    case 'any':
      return 'x != null';
    case 'hash':
    case 'struct':
    case 'array':
      return 'true';
  }
}

function check(value: unknown, least: number, most: number, field: string): void {
  if (!(Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    throw new RangeError(`${field}: ${String(value)} is out of range`);
}

type Compile = (
  writes: readonly Write[],
  fixed: number,
  omittedTime: (time: GoTime) => boolean,
  check: (value: unknown, least: number, most: number, field: string) => void,
) => Write;

/** `writeOf` gives the function for a field that is not a plain number, text, hash or time. */
export function compileStructWriter(schema: StructSchema, writeOf: (schema: Schema) => Write): Write {
  const writes: Write[] = [];
  const steps: string[] = [];
  let number = 0;
  for (const [name, { schema: field }] of schema.fields) {
    const label = JSON.stringify(name);
    const missing = field.kind === 'hash' ? ` ?? '${ZERO_HASH}'` : '';
    writes.push(writeOf(field));
    const delta =
      schema.fields.size < 127
        ? `b[p++] = ${number} - last;`
        : `w.length = p; w.uint(${number} - last); p = w.length;`;
    const body = `${delta} last = ${number}; ${writeCode(field, number, label)}`;
    steps.push(
      `x = v[${label}]${missing}; ${sentCode(field) === 'true' ? body : `if (${sentCode(field)}) { ${body} }`}`,
    );
    number++;
  }
  const code = `'use strict';
return function write(w, v) {
  w.reserve(fixed);
  let b = w.buffer, p = w.length, last = -1, x, n = 0;
  ${steps.join('\n  ')}
  b[p++] = 0;
  w.length = p;
};`;
  const compile = new Function('writes', 'fixed', 'omittedTime', 'check', code) as Compile;
  return compile(writes, fixedBytes(schema), isOmittedTime, check) as (out: Output, value: unknown) => void;
}
