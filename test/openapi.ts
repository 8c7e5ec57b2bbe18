/** Reading our own OpenAPI document in tests: operations, references, and arbitrary values of its schemas. */
import fc from 'fast-check';

export interface SchemaObject {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaObject>>;
  readonly additionalProperties?: boolean | SchemaObject;
  readonly required?: readonly string[];
  readonly items?: SchemaObject;
  readonly allOf?: readonly SchemaObject[];
  readonly oneOf?: readonly SchemaObject[];
}
interface Media {
  readonly schema?: SchemaObject;
  readonly example?: unknown;
}
interface OperationObject {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { in: string; name: string; required?: boolean; schema: SchemaObject }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
  readonly 'x-required-permission'?: readonly string[];
}
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, SchemaObject>> };
}

export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

export function operationsOf(document: OpenApiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
}

/** All `$ref`s anywhere in a value. */
export function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(refsOf)];
}

const HASHES = [
  'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  'ab'.repeat(64),
];
const NAMES = [
  'example.0',
  'example',
  'base/img.0',
  '.',
  '',
  '..',
  '/',
  'a//b',
  '.hidden',
  'x~',
  'é\u0000',
  '%',
  'a b',
  '__proto__',
  'constructor',
];

/** Values of a schema, most of them valid; nesting is bounded. */
export function arbitraryOf(
  document: OpenApiDocument,
  schema: SchemaObject | undefined,
  depth = 5,
): fc.Arbitrary<unknown> {
  if (!schema || depth === 0) return fc.constant(null);
  const of = (inner: SchemaObject | undefined) => arbitraryOf(document, inner, depth - 1);
  if (schema.$ref)
    return arbitraryOf(document, document.components.schemas[schema.$ref.split('/').at(-1) as string], depth);
  if (schema.nullable)
    return fc.oneof(
      { arbitrary: fc.constant(null), weight: 1 },
      { arbitrary: arbitraryOf(document, { ...schema, nullable: false }, depth), weight: 4 },
    );
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.allOf) return of(schema.allOf[0]);
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map(of));
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'integer':
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 1000, 1000) }),
        fc.maxSafeInteger(),
      );
    case 'array':
      return fc.array(of(schema.items), { maxLength: 3 });
    case 'object': {
      const required = new Set(schema.required ?? []);
      const fields = Object.entries(schema.properties ?? {}).map(
        ([name, inner]): [string, fc.Arbitrary<unknown>] => [
          name,
          // Nobody wants to wait for these.
          name === 'Timeout' || name === 'Duration'
            ? fc.nat(1000)
            : required.has(name)
              ? of(inner)
              : fc.option(of(inner), { nil: undefined, freq: 3 }),
        ],
      );
      if (fields.length > 0) return fc.record(Object.fromEntries(fields));
      const values =
        typeof schema.additionalProperties === 'object' ? of(schema.additionalProperties) : fc.jsonValue();
      return fc.dictionary(fc.oneof(fc.string({ maxLength: 5 }), fc.nat(20).map(String)), values, {
        maxKeys: 3,
      });
    }
    default:
      if (schema.pattern) return fc.constantFrom(...HASHES);
      if (schema.format === 'byte') return fc.base64String({ maxLength: 40 });
      if (schema.format === 'date-time')
        return fc.oneof(
          fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          fc.constantFrom('0001-01-01T00:00:00Z', 'yesterday'),
        );
      return fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 12, unit: 'binary' }));
  }
}
