/** Zero values: what a field is when the peer sent nothing for it. */
import type { Schema, StructSchema } from '../schema.ts';
import { ZERO_TIME } from '../time.ts';

export const ZERO_HASH = '0'.repeat(128);
const NO_BYTES = new Uint8Array(0);
const NO_COMPLEX = Object.freeze([0, 0] as const);

/** The zero value of a schema. Arrays and structs are made anew each time. */
export function zeroOf(schema: Schema): unknown {
  switch (schema.kind) {
    case 'bool':
      return false;
    case 'int':
    case 'uint':
      return schema.bits === 64 ? 0n : 0;
    case 'float':
      return 0;
    case 'complex':
      return NO_COMPLEX;
    case 'string':
      return '';
    case 'bytes':
      return NO_BYTES;
    case 'hash':
      return ZERO_HASH;
    case 'time':
      return ZERO_TIME;
    case 'slice':
      return [];
    case 'array':
      return Array.from({ length: schema.length }, () => zeroOf(schema.elem));
    case 'struct': {
      const value: Record<string, unknown> = {};
      for (const [name, field] of (schema as StructSchema).fields) value[name] = zeroOf(field.schema);
      return value;
    }
    case 'map':
    case 'pointer':
    case 'union':
    case 'any':
      return null;
  }
}

/** About what a value of the schema takes in memory at the least, bytes. */
export function weightOf(schema: Schema): number {
  switch (schema.kind) {
    case 'bool':
    case 'pointer':
      return 8;
    case 'int':
    case 'uint':
      return schema.bits === 64 ? 24 : 8;
    case 'float':
      return 16;
    case 'string':
    case 'slice':
    case 'complex':
      return 32;
    case 'map':
    case 'union':
    case 'any':
      return 8;
    case 'bytes':
    case 'time':
      return 64;
    case 'hash':
      return 160;
    case 'array':
      return 32 + schema.length * weightOf(schema.elem);
    case 'struct': {
      let weight = 24;
      for (const { schema: field } of (schema as StructSchema).fields.values())
        weight += field.kind === 'struct' ? weightOf(field) : field.kind === 'slice' ? 32 : 8;
      return weight;
    }
  }
}
