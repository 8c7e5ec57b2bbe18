/** OpenAPI schemas of messages, from their declarations. Every struct becomes one named component. */
import type { Schema, StructSchema } from '../../wire/schema.ts';
import { REF } from './operation.ts';

type JsonSchema = Record<string, unknown>;

/** `imageserver.AddImageRequest` → `AddImageRequest`. */
function componentName(struct: StructSchema): string {
  return struct.goName.slice(struct.goName.indexOf('.') + 1);
}

const INTEGER_LIMITS = {
  uint: (bits: number) => [0, 2 ** bits - 1],
  int: (bits: number) => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1],
};

/** Components met so far, in one document. */
class Components {
  readonly schemas = new Map<string, JsonSchema>();
  readonly #made = new Map<string, StructSchema>();

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
        const [minimum, maximum] = INTEGER_LIMITS[schema.kind](schema.bits);
        return { type: 'integer', minimum, maximum };
      }
      case 'bytes':
        return { type: 'string', format: 'byte', nullable: true };
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
      case 'map':
        return { type: 'object', nullable: true, additionalProperties: this.of(schema.elem) };
      case 'pointer':
        return { nullable: true, allOf: [this.of(schema.elem)] };
      case 'struct':
        return this.#struct(schema);
      case 'union':
        return {
          oneOf: schema.variants.map((variant) => this.#struct(variant.struct, variant.tag)),
          discriminator: {
            propertyName: 'Kind',
            mapping: Object.fromEntries(
              schema.variants.map(({ tag, struct }) => [tag, REF(componentName(struct)).$ref]),
            ),
          },
        };
      default:
        throw new Error(`no message has a field of kind ${schema.kind}`);
    }
  }

  #struct(struct: StructSchema, tag?: string): JsonSchema {
    const name = componentName(struct);
    const known = this.#made.get(name);
    if (known && known !== struct) throw new Error(`two messages are called ${name}`);
    if (!known) {
      this.#made.set(name, struct);
      const properties: Record<string, JsonSchema> =
        tag === undefined ? {} : { Kind: { type: 'string', enum: [tag] } };
      this.#fields(struct, properties);
      this.schemas.set(name, {
        type: 'object',
        properties,
        additionalProperties: false,
        ...(tag === undefined ? {} : { required: ['Kind'] }),
      });
    }
    return REF(name);
  }

  #fields(struct: StructSchema, into: Record<string, JsonSchema>): void {
    for (const [name, field] of struct.fields) {
      if (field.embedded) {
        this.#fields(field.schema as StructSchema, into);
        continue;
      }
      const schema = this.of(field.schema);
      const description = struct.docs[name];
      into[name] =
        description === undefined
          ? schema
          : '$ref' in schema
            ? { description, allOf: [schema] }
            : { ...schema, description };
    }
  }
}

const components = new Components();

/** Reference to the component of a message. */
export function messageSchema(schema: Schema): JsonSchema {
  return components.of(schema);
}

/** All components of messages that were asked for so far. */
export function messageComponents(): Record<string, JsonSchema> {
  return Object.fromEntries(components.schemas);
}
