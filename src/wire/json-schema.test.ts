import { describe, expect, test } from 'bun:test';
import { type JsonSchema, jsonSchema } from './json-schema.ts';
import { GenericInode } from './messages/filesystem.ts';
import { Image } from './messages/image.ts';
import {
  DeleteUnreferencedObjectsRequest,
  FindLatestImageRequest,
  GetImageRequest,
} from './messages/imageserver.ts';
import { CheckObjectsRequest } from './messages/objectserver.ts';
import * as s from './schema.ts';

const closed = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  additionalProperties: false,
});
const NUMBER = { type: 'integer', format: 'int64' };

describe('JSON Schema', () => {
  const cases: [string, s.Schema, unknown][] = [
    [
      'uint8',
      DeleteUnreferencedObjectsRequest,
      closed({ Percentage: { type: 'integer', minimum: 0, maximum: 255 }, Bytes: { ...NUMBER, minimum: 0 } }),
    ],
    [
      'descriptions',
      GetImageRequest,
      closed({
        ImageName: { type: 'string' },
        IgnoreFilesystem: { type: 'boolean' },
        IgnoreFilesystemIfExpiring: { type: 'boolean' },
        Timeout: {
          ...NUMBER,
          description: 'Nanoseconds to wait for an image that is not there yet; 0 = do not wait.',
        },
      }),
    ],
    [
      'maps of lists',
      FindLatestImageRequest,
      closed({
        BuildCommitId: { type: 'string' },
        DirectoryName: { type: 'string' },
        IgnoreExpiringImages: { type: 'boolean' },
        TagsToMatch: {
          type: ['object', 'null'],
          additionalProperties: { type: 'array', items: { type: 'string' } },
        },
      }),
    ],
    [
      'hashes',
      CheckObjectsRequest,
      closed({
        Hashes: {
          type: 'array',
          items: { type: 'string', pattern: '^[0-9a-f]{128}$', description: 'SHA-512, hexadecimal' },
        },
      }),
    ],
    [
      'int32 and arrays',
      s.array(s.int32, 2),
      {
        type: 'array',
        items: { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
        minItems: 2,
        maxItems: 2,
      },
    ],
  ];
  for (const [name, schema, wanted] of cases)
    test(name, () => expect(jsonSchema(schema)).toEqual(wanted as JsonSchema));

  test('the fields of an embedded struct stand in the outer one', () => {
    const { properties } = jsonSchema(Image) as {
      properties: Record<string, { type: string[]; properties: object }>;
    };
    expect(Object.keys(properties.FileSystem?.properties ?? {})).toEqual([
      'InodeTable',
      'NumRegularInodes',
      'TotalDataBytes',
      'DirectoryCount',
      'EntryList',
      'EntriesByName',
      'Mode',
      'Uid',
      'Gid',
    ]);
  });
  test('inodes are told apart by their Kind', () => {
    const { oneOf, discriminator } = jsonSchema(GenericInode) as {
      oneOf: { required: string[]; properties: { Kind: unknown } }[];
      discriminator: unknown;
    };
    expect(discriminator).toEqual({ propertyName: 'Kind' });
    expect(oneOf.map((one) => one.properties.Kind)).toEqual(
      ['regular', 'computed', 'symlink', 'special', 'directory'].map((kind) => ({
        type: 'string',
        enum: [kind],
      })),
    );
    for (const one of oneOf) expect(one.required).toEqual(['Kind']);
  });
  test('references instead of copies', () => {
    const made = new Map<string, JsonSchema>();
    const top = jsonSchema(s.pointer(Image), {
      dialect: 'openapi-3.0',
      refer: ({ goName }, _tag, make) => {
        if (!made.has(goName)) {
          made.set(goName, {});
          made.set(goName, make());
        }
        return { $ref: `#/components/schemas/${goName}` };
      },
    });
    expect(top).toEqual({ nullable: true, allOf: [{ $ref: '#/components/schemas/image.Image' }] });
    expect([...made.keys()]).toContain('filesystem.SymlinkInode');
    const inode = (
      made.get('filesystem.FileSystem') as {
        properties: { InodeTable: { additionalProperties: { discriminator: { mapping: object } } } };
      }
    ).properties.InodeTable;
    expect(inode.additionalProperties.discriminator.mapping).toHaveProperty(
      'symlink',
      '#/components/schemas/filesystem.SymlinkInode',
    );
  });
});
