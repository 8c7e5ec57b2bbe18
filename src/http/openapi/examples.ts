/** Examples of messages: what Swagger puts into the fields, chosen so that "Try it out" does something sensible. */
import type { Schema, StructSchema } from '../../wire/schema.ts';
import { EXAMPLE_HASH } from './operation.ts';

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** An image of one empty file, which needs no object: it can be added to any server. */
const EXAMPLE_IMAGE: Json = {
  Filter: { FilterLines: ['/var/log/.*'] },
  FileSystem: {
    InodeTable: {
      '1': {
        Kind: 'directory',
        Mode: 0o40755,
        Uid: 0,
        Gid: 0,
        EntryList: [{ Name: 'empty', InodeNumber: 2 }],
      },
      '2': {
        Kind: 'regular',
        Mode: 0o100644,
        Uid: 0,
        Gid: 0,
        MtimeSeconds: 1_700_000_000,
        MtimeNanoSeconds: 0,
        Size: 0,
      },
      '3': { Kind: 'symlink', Uid: 0, Gid: 0, Symlink: 'etc/empty' },
    },
    NumRegularInodes: 1,
    DirectoryCount: 2,
    EntryList: [
      { Name: 'etc', InodeNumber: 1 },
      { Name: 'link', InodeNumber: 3 },
    ],
    Mode: 0o40755,
    Uid: 0,
    Gid: 0,
  },
  Triggers: { Triggers: [{ MatchLines: ['/etc/.*'], Service: 'example' }] },
  ExpiresAt: '0001-01-01T00:00:00Z',
};

/** Requests by method, where the general examples would not do. */
const REQUESTS: Readonly<Record<string, Json>> = {
  'ImageServer.AddImage': { ImageName: 'example.0', Image: EXAMPLE_IMAGE },
  'ImageServer.AddImageTrusted': { ImageName: 'example.1', Image: EXAMPLE_IMAGE },
  'ImageServer.ChangeImageExpiration': { ImageName: 'example.0', ExpiresAt: '2030-01-01T00:00:00Z' },
  'ImageServer.CheckDirectory': { DirectoryName: '.' },
  'ImageServer.ChownDirectory': { DirectoryName: 'example', OwnerGroup: '' },
  'ImageServer.DeleteUnreferencedObjects': { Percentage: 0, Bytes: 0 },
  'ImageServer.FindLatestImage': { DirectoryName: '.', IgnoreExpiringImages: false },
  'ImageServer.GetImage': { ImageName: 'example.0', IgnoreFilesystem: false, Timeout: 0 },
  'ImageServer.MakeDirectory': { DirectoryName: 'example', MakeAll: true },
  'ImageServer.PurgeTrash': { ImageName: 'example.0', Id: '', All: false },
  'ImageServer.ReleaseHeldDeletions': { ImageNames: [], All: true },
  'ImageServer.UndeleteImage': { ImageName: 'example.0', Id: '' },
  'Logger.Debug': { Args: ['hello'], Name: '', Level: 0 },
  'Logger.Print': { Args: ['hello'], Name: '' },
  'Logger.SetDebugLevel': { Name: '', Level: 0 },
  'Logger.Watch': { DebugLevel: 0, ExcludeRegex: '', IncludeRegex: '', Name: '' },
  'ObjectServer.AddObjects': { Objects: [{ ExpectedHash: null, Data: 'YWJj' }] },
  'ObjectServer.CheckObjects': { Hashes: [EXAMPLE_HASH] },
  'ObjectServer.GetObjects': { Exclusive: false, Hashes: [EXAMPLE_HASH] },
  'ObjectServer.TestBandwidth': { Duration: 1_000_000_000, ChunkSize: 1000, SendToServer: false },
};

/** Texts by field name. */
const TEXTS: Readonly<Record<string, string>> = {
  ImageName: 'example.0',
  DirectoryName: 'example',
  OwnerGroup: 'imgadmins',
  Error: '',
  ErrorString: '',
  ResponseString: '',
  CreatedBy: 'alice',
  Name: 'example',
};

function ofSchema(schema: Schema, name: string): Json {
  switch (schema.kind) {
    case 'bool':
      return name !== 'Exclusive';
    case 'int':
    case 'uint':
      return name === 'Operation' ? 2 : name.includes('Size') ? 3 : 0;
    case 'float':
      return 0;
    case 'string':
      return TEXTS[name] ?? '';
    case 'bytes':
      return 'YWJj';
    case 'hash':
      return EXAMPLE_HASH;
    case 'time':
      return '2026-11-24T10:15:30.123456789Z';
    case 'slice':
    case 'array':
      return [ofSchema(schema.elem as Schema, name)];
    case 'map':
      return {};
    case 'pointer':
      return name === 'Image' ? EXAMPLE_IMAGE : ofSchema(schema.elem as Schema, name);
    case 'struct':
      return ofStruct(schema);
    default:
      return null;
  }
}

function ofStruct(schema: StructSchema): Json {
  const example: { [name: string]: Json } = {};
  for (const [name, field] of schema.fields) {
    if (field.embedded) Object.assign(example, ofStruct(field.schema as StructSchema));
    else example[name] = ofSchema(field.schema, name);
  }
  return example;
}

/** The example of a method's request (if `schema` is one) or of its reply. */
export function exampleOf(schema: StructSchema, method: string): Json {
  const isRequest = /Request$|Body$/.test(schema.goName);
  return (isRequest ? REQUESTS[method] : undefined) ?? ofStruct(schema);
}
