/** JSON Schema of our JSON form, made from the declarations of the messages. */
import type { Schema, StructSchema, UnionSchema } from './schema.ts';

export type JsonSchema = { readonly [key: string]: unknown };

export interface JsonSchemaOptions {
  /** How null is allowed: OpenAPI 3.0 has no type for it. */
  readonly dialect?: 'json-schema' | 'openapi-3.0';
  /** Asked for each struct (`tag` if it is a variant of a union): answers a `$ref`, or undefined to have it inline. */
  readonly refer?: (
    struct: StructSchema,
    tag: string | undefined,
    make: () => JsonSchema,
  ) => JsonSchema | undefined;
}

class Maker {
  /** Structs being made, to refuse those that contain themselves. */
  readonly #open = new Set<StructSchema>();
  constructor(readonly options: JsonSchemaOptions) {}

  #nullable(schema: JsonSchema): JsonSchema {
    if (this.options.dialect === 'openapi-3.0')
      return '$ref' in schema ? { nullable: true, allOf: [schema] } : { ...schema, nullable: true };
    return typeof schema.type === 'string'
      ? { ...schema, type: [schema.type, 'null'] }
      : { anyOf: [schema, { type: 'null' }] };
  }

  of(schema: Schema): JsonSchema {
    switch (schema.kind) {
      case 'bool':
        return { type: 'boolean' };
      case 'string':
        return { type: 'string' };
      case 'float':
        return { type: 'number' };
      case 'int':
      case 'uint': {
        // Beyond 53 bits a limit cannot be written exactly.
        if (schema.bits === 64)
          return { type: 'integer', format: 'int64', ...(schema.kind === 'uint' ? { minimum: 0 } : {}) };
        const half = 2 ** (schema.bits - 1);
        return schema.kind === 'uint'
          ? { type: 'integer', minimum: 0, maximum: 2 * half - 1 }
          : { type: 'integer', minimum: -half, maximum: half - 1 };
      }
      case 'bytes':
        return this.#nullable({ type: 'string', format: 'byte' });
      case 'hash':
        return { type: 'string', pattern: '^[0-9a-f]{128}$', description: 'SHA-512, hexadecimal' };
      case 'time':
        return {
          type: 'string',
          format: 'date-time',
          description: 'RFC 3339, up to nanoseconds; 0001-01-01T00:00:00Z = not set',
        };
      case 'slice':
        return { type: 'array', items: this.of(schema.elem) };
      case 'array':
        return {
          type: 'array',
          items: this.of(schema.elem),
          minItems: schema.length,
          maxItems: schema.length,
        };
      case 'map': {
        const { kind } = schema.key as Schema;
        const names = kind === 'uint' ? { propertyNames: { pattern: '^[0-9]{1,20}$' } } : {};
        const plain = this.options.dialect === 'openapi-3.0' ? {} : names;
        return this.#nullable({ type: 'object', additionalProperties: this.of(schema.elem), ...plain });
      }
      case 'pointer':
        return this.#nullable(this.of(schema.elem));
      case 'struct':
        return this.#struct(schema, undefined);
      case 'union':
        return this.#union(schema);
      case 'any':
      case 'complex':
        throw new Error(`no message has a field of kind ${schema.kind}`);
    }
  }

  #union(schema: UnionSchema): JsonSchema {
    const variants = schema.variants.map(({ tag, struct }) => ({ tag, schema: this.#struct(struct, tag) }));
    const references = variants.filter((variant) => typeof variant.schema.$ref === 'string');
    return {
      oneOf: variants.map((variant) => variant.schema),
      discriminator: {
        propertyName: 'Kind',
        ...(references.length > 0
          ? { mapping: Object.fromEntries(references.map((variant) => [variant.tag, variant.schema.$ref])) }
          : {}),
      },
    };
  }

  #struct(struct: StructSchema, tag: string | undefined): JsonSchema {
    return this.options.refer?.(struct, tag, () => this.#inline(struct, tag)) ?? this.#inline(struct, tag);
  }

  #inline(struct: StructSchema, tag: string | undefined): JsonSchema {
    if (this.#open.has(struct)) throw new Error(`${struct.goName} contains itself: it needs references`);
    this.#open.add(struct);
    const properties: Record<string, JsonSchema> =
      tag === undefined ? {} : { Kind: { type: 'string', enum: [tag] } };
    this.#fields(struct, properties);
    this.#open.delete(struct);
    return {
      type: 'object',
      properties,
      additionalProperties: false,
      ...(tag === undefined ? {} : { required: ['Kind'] }),
    };
  }

  /** Embedded structs are flattened, as in the JSON itself. */
  #fields(struct: StructSchema, into: Record<string, JsonSchema>): void {
    for (const [name, field] of struct.fields) {
      if (field.embedded) {
        this.#fields(field.schema as StructSchema, into);
        continue;
      }
      const schema = this.of(field.schema);
      const description = struct.docs[name];
      if (description === undefined) into[name] = schema;
      else into[name] = '$ref' in schema ? { description, allOf: [schema] } : { ...schema, description };
    }
  }
}

/** No field is required: what is left out is zero. Structs are inline unless `refer` answers a reference. */
export function jsonSchema(schema: Schema, options: JsonSchemaOptions = {}): JsonSchema {
  return new Maker(options).of(schema);
}
