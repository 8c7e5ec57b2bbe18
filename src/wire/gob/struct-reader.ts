/**
 * Makes the function that reads a struct without interfaces: straight code with one case for each of the peer's fields.
 * Names in the code come from our declarations only; the peer decides nothing but the order of the cases.
 */
import type { Schema, StructSchema } from '../schema.ts';
import { decodeText } from '../text.ts';
import { badData, type Cursor } from './cursor.ts';
import type { FieldPlan, Plan, Read } from './plan.ts';
import { zeroOf } from './zero.ts';

const LITERAL_ZERO: Partial<Record<Schema['kind'], string>> = {
  bool: 'false',
  float: '0',
  string: "''",
  map: 'null',
  pointer: 'null',
  union: 'null',
  any: 'null',
};

/** Code that puts the field's value into `to`. `b` message, `p` position, `e` end, `t` scratch, `c` cursor. */
function readCode(local: Schema | undefined, to: string, name: string, index: number): string {
  const slow = (call: string) => `{ c.at = p - 1; ${to} = c.${call}; p = c.at; }`;
  const number = (quick: string, call: string) =>
    `t = b[p++]; if (t < 128) ${to} = ${quick}; else ${slow(call)}`;
  const label = JSON.stringify(name);
  switch (local?.kind) {
    case 'bool':
      return number('t !== 0', 'uint() !== 0');
    case 'uint':
      return local.bits === 64
        ? number('BigInt(t)', 'bigUint()')
        : number('t', `smallUint(${2 ** local.bits}, ${label})`);
    case 'int':
      return local.bits === 64
        ? number('BigInt((t >>> 1) ^ -(t & 1))', 'bigInt()')
        : number('(t >>> 1) ^ -(t & 1)', `smallInt(${2 ** (local.bits - 1)}, ${label})`);
    case 'string':
      return `t = b[p++]; if (t < 128 && p + t <= e) { ${to} = text(b, p, p + t); p += t; } else ${slow('text()')}`;
    case 'hash':
      return `c.at = p; ${to} = c.hash(); p = c.at;`;
    case 'time':
      return `c.at = p; ${to} = c.time(); p = c.at;`;
    default:
      return `c.at = p; ${local ? `${to} = ` : ''}plans[${index}].read(c); p = c.at;`;
  }
}

type Compile = (
  plans: readonly Plan[],
  zeros: readonly unknown[],
  text: typeof decodeText,
  outOfBounds: () => Error,
) => Read;

/** `fields` are the peer's, in its order; `tag` is put first as `Kind`. */
export function compileStruct(schema: StructSchema, fields: readonly FieldPlan[], tag?: string): Read {
  const names = [...schema.fields.keys()];
  const zeros: unknown[] = [];
  const before: string[] = [];
  const members: string[] = tag === undefined ? [] : [`Kind: ${JSON.stringify(tag)}`];
  let nested = false;
  names.forEach((name, index) => {
    const local = schema.fields.get(name)?.schema as Schema;
    const variable = `f${index}`;
    const fresh = local.kind === 'slice' || local.kind === 'struct' || local.kind === 'array';
    if (fresh || local.kind === 'map' || local.kind === 'pointer') nested = true;
    let zero = LITERAL_ZERO[local.kind] ?? `zeros[${index}]`;
    if ((local.kind === 'int' || local.kind === 'uint') && local.bits !== 64) zero = '0';
    else if (local.kind === 'int' || local.kind === 'uint') zero = '0n';
    zeros.push(fresh ? () => zeroOf(local) : zeroOf(local));
    before.push(`let ${variable} = ${fresh ? 'undefined' : zero};`);
    const made = local.kind === 'slice' ? '[]' : `zeros[${index}]()`;
    members.push(`${JSON.stringify(name)}: ${variable}${fresh ? ` ?? ${made}` : ''}`);
  });
  if (fields.some((field) => !field.local)) nested = true;
  const cases = fields.map((field, index) => {
    const ours = field.local ? names.indexOf(field.name) : -1;
    return `case ${index}: ${readCode(field.local, `f${ours}`, ours < 0 ? '' : (names[ours] as string), index)} break;`;
  });
  const code = `'use strict';
return function read(c) {
  ${nested ? 'c.enter();' : ''}
  const b = c.bytes, e = c.end;
  let p = c.at, n = -1, t = 0;
  ${before.join('\n  ')}
  while (p < e) {
    t = b[p++];
    if (t === 0) break;
    if (t > 127) { c.at = p - 1; t = c.uint(); p = c.at; if (t === 0) break; }
    n += t;
    switch (n) {
      ${cases.join('\n      ')}
      default: throw outOfBounds();
    }
  }
  c.at = p;
  ${nested ? 'c.depth--;' : ''}
  return { ${members.join(', ')} };
};`;
  const compile = new Function('plans', 'zeros', 'text', 'outOfBounds', code) as Compile;
  return compile(
    fields.map((field) => field.plan),
    zeros,
    decodeText,
    () => badData('gob: bad data: field numbers out of bounds'),
  ) as (cursor: Cursor) => unknown;
}
