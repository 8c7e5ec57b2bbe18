/** What the OpenAPI document says of images and directories. Names contain slashes, so these share wildcard routes. */
import {
  BINARY,
  type Description,
  describe,
  headerParameter,
  JSON_OF,
  pathParameter,
  REF,
} from '../openapi/operation.ts';
import { queryParameters } from '../query.ts';
import { IMAGE_QUERY, LIST_QUERY, MAKE_QUERY, TREE_QUERY } from './query.ts';

const IMAGE = 'base/img.0';
const NAME = pathParameter('name', 'Image name; its slashes may be written as they are or as %2F', IMAGE);
const DIRECTORY = pathParameter('name', 'Directory name; `.` is the top level', 'base');
const TOTAL = { type: 'integer', minimum: 0 } as const;
const CONDITIONAL = [headerParameter('If-None-Match', 'ETag of what the client has')];
const UNCHANGED = { 304: { description: 'The client has it already' } };
const ETAG = { ETag: 'SHA-512 of the stored image' };

const LISTED_IMAGE = {
  type: 'object',
  properties: {
    Name: { type: 'string' },
    Identity: { type: 'string', description: 'SHA-512 of the stored image: another one means another image' },
    CreatedOn: { type: 'string', format: 'date-time' },
    CreatedBy: { type: 'string' },
    ExpiresAt: { type: 'string', format: 'date-time', nullable: true },
    DataBytes: { ...TOTAL, description: 'Sum of the sizes of all regular files' },
    Inodes: TOTAL,
    RegularInodes: TOTAL,
    ComputedInodes: TOTAL,
    FilterLines: { ...TOTAL, nullable: true, description: 'null = sparse image' },
    Triggers: { ...TOTAL, nullable: true },
    Packages: TOTAL,
    Tags: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

const PAGE = {
  Offset: TOTAL,
  Total: TOTAL,
  NextOffset: { ...TOTAL, nullable: true, description: 'Where the next page begins; null = there is none' },
};

export const LIST_DOC: Description = {
  tag: 'Images',
  operationId: 'listImages',
  summary: 'Images, filtered, sorted and in pages',
  permission: ['ImageServer.ListImages'],
  parameters: queryParameters(LIST_QUERY),
  ok: {
    description: 'One page',
    content: JSON_OF({
      type: 'object',
      properties: { Images: { type: 'array', items: LISTED_IMAGE }, ...PAGE },
    }),
  },
  errors: ['INVALID_REQUEST'],
};

export const DIRECTORIES_DOC: Description = {
  tag: 'Directories',
  operationId: 'listDirectories',
  summary: 'All image directories with their owner groups',
  permission: ['ImageServer.ListDirectories'],
  ok: {
    description: 'Parents before children',
    content: JSON_OF(
      { type: 'object', properties: { Directories: { type: 'array', items: REF('Directory') } } },
      { Directories: [{ Name: '.', Metadata: { OwnerGroup: '' } }] },
    ),
  },
};

const READ: Description = {
  tag: 'Images',
  operationId: 'readImage',
  summary: 'One image: as JSON, as it is stored, or as an archive',
  description:
    'By `Accept`: `application/json`; `application/x-gob` (the stored bytes, with ranges); `application/x-tar` (needs `ObjectServer.GetObjects` too).',
  permission: ['ImageServer.GetImage'],
  parameters: [NAME, ...queryParameters(IMAGE_QUERY), ...CONDITIONAL],
  ok: {
    description: 'The image',
    content: { ...JSON_OF(REF('Image')), ...BINARY('application/x-gob'), ...BINARY('application/x-tar') },
    headers: ETAG,
  },
  others: { ...UNCHANGED, 206: { description: 'A part of the stored bytes' } },
  errors: [
    'IMAGE_NOT_FOUND',
    'NOT_ACCEPTABLE',
    'INVALID_REQUEST',
    'PRECONDITION_FAILED',
    'RANGE_NOT_SATISFIABLE',
    'CORRUPT',
  ],
};

const DELETE: Description = {
  tag: 'Images',
  operationId: 'deleteImage',
  summary: 'Deletes an image',
  description:
    'With `If-Match` only if it is still that image. Owners of the directory may delete without the permission.',
  permission: ['ImageServer.DeleteImage'],
  parameters: [NAME, headerParameter('If-Match', 'ETag that the image must have')],
  okStatus: 204,
  ok: { description: 'Deleted' },
  errors: ['IMAGE_NOT_FOUND', 'REPLICA', 'PRECONDITION_FAILED', 'INVALID_REQUEST'],
};

const FILE: Description = {
  tag: 'Images',
  operationId: 'readImageFile',
  summary: 'One file out of an image',
  description:
    'With its name and a media type by its extension; symbolic links are followed within the image; ranges as for objects.',
  permission: ['ImageServer.GetImage', 'ObjectServer.GetObjects'],
  parameters: [
    NAME,
    pathParameter('path', 'Path inside the image, without a leading slash', 'etc/hostname'),
    headerParameter('Range', 'One range of bytes'),
    ...CONDITIONAL,
  ],
  ok: { description: 'The contents', content: BINARY(), headers: { ETag: 'SHA-512 of the contents' } },
  others: { ...UNCHANGED, 206: { description: 'The part asked for', content: BINARY() } },
  errors: [
    'IMAGE_NOT_FOUND',
    'FILE_NOT_FOUND',
    'OBJECT_NOT_FOUND',
    'INVALID_REQUEST',
    'PRECONDITION_FAILED',
    'RANGE_NOT_SATISFIABLE',
    'CORRUPT',
  ],
};

const TREE: Description = {
  tag: 'Images',
  operationId: 'readImageTree',
  summary: 'A directory of an image, page by page, or one inode',
  permission: ['ImageServer.GetImage'],
  parameters: [
    NAME,
    pathParameter('path', 'Path inside the image, without a leading slash', 'etc'),
    ...queryParameters(TREE_QUERY),
    ...CONDITIONAL,
  ],
  ok: {
    description: 'The inode; of a directory with a page of its entries',
    content: JSON_OF({
      type: 'object',
      properties: {
        Path: { type: 'string' },
        Kind: { type: 'string', enum: ['regular', 'computed', 'symlink', 'special', 'directory'] },
        EntryList: {
          type: 'array',
          items: {
            type: 'object',
            properties: { Name: { type: 'string' }, Kind: { type: 'string', nullable: true } },
          },
        },
        Offset: TOTAL,
        NextOffset: { ...TOTAL, nullable: true },
      },
    }),
    headers: ETAG,
  },
  others: UNCHANGED,
  errors: ['IMAGE_NOT_FOUND', 'FILE_NOT_FOUND', 'INVALID_REQUEST', 'PRECONDITION_FAILED'],
};

const archive = (type: string, suffix: string): Description => ({
  tag: 'Images',
  operationId: `readImageArchive${suffix}`,
  summary: `The whole tree as an archive${suffix ? ', compressed' : ''}, streamed`,
  permission: ['ImageServer.GetImage', 'ObjectServer.GetObjects'],
  parameters: [NAME, ...CONDITIONAL],
  ok: {
    description: 'The archive; one that breaks off is not complete',
    content: BINARY(type),
    headers: ETAG,
  },
  others: UNCHANGED,
  errors: ['IMAGE_NOT_FOUND', 'OBJECT_NOT_FOUND', 'INVALID_REQUEST', 'PRECONDITION_FAILED'],
});

const DIFF: Description = {
  tag: 'Images',
  operationId: 'compareImages',
  summary: 'What differs between two images',
  permission: ['ImageServer.GetImage'],
  parameters: [NAME, pathParameter('other', 'Name of the other image', 'base/img.1')],
  ok: { description: 'The differences', content: JSON_OF({ type: 'object' }) },
  errors: ['IMAGE_NOT_FOUND', 'INVALID_REQUEST'],
};

const DIRECTORY_JSON = JSON_OF(
  {
    type: 'object',
    properties: {
      Name: { type: 'string' },
      Metadata: REF('DirectoryMetadata'),
      Directories: { type: 'array', items: { type: 'string' } },
      Images: { ...TOTAL, description: 'Images directly inside' },
    },
  },
  { Name: 'base', Metadata: { OwnerGroup: '' }, Directories: [], Images: 2 },
);
const READ_DIRECTORY: Description = {
  tag: 'Directories',
  operationId: 'readDirectory',
  summary: 'One image directory',
  permission: ['ImageServer.ListDirectories'],
  parameters: [DIRECTORY],
  ok: { description: 'The directory', content: DIRECTORY_JSON },
  errors: ['DIRECTORY_NOT_FOUND', 'INVALID_NAME', 'INVALID_REQUEST'],
};
const MAKE_DIRECTORY: Description = {
  tag: 'Directories',
  operationId: 'makeDirectory',
  summary: 'Makes an image directory, if it is not there yet',
  permission: ['ImageServer.MakeDirectory'],
  parameters: [DIRECTORY, ...queryParameters(MAKE_QUERY)],
  okStatus: 201,
  ok: { description: 'Made', content: DIRECTORY_JSON },
  others: { 200: { description: 'It was there already', content: DIRECTORY_JSON } },
  errors: ['DIRECTORY_NOT_FOUND', 'INVALID_NAME', 'INVALID_REQUEST', 'REPLICA'],
};
const CHOWN_DIRECTORY: Description = {
  tag: 'Directories',
  operationId: 'changeDirectory',
  summary: 'Sets the owner group of an image directory',
  permission: ['ImageServer.ChownDirectory'],
  parameters: [DIRECTORY],
  body: { content: JSON_OF(REF('DirectoryMetadata'), { OwnerGroup: 'imgadmins' }) },
  ok: { description: 'Changed', content: DIRECTORY_JSON },
  errors: ['DIRECTORY_NOT_FOUND', 'INVALID_NAME', 'INVALID_REQUEST', 'UNSUPPORTED_MEDIA_TYPE', 'TOO_LARGE'],
};

/** Paths whose routes the document's assembler cannot see. */
export const IMAGE_PATHS = {
  '/images/{name}': { get: describe(READ), delete: describe(DELETE) },
  '/images/{name}/files/{path}': { get: describe(FILE) },
  '/images/{name}/tree/{path}': { get: describe(TREE) },
  '/images/{name}.tar': { get: describe(archive('application/x-tar', '')) },
  '/images/{name}.tar.gz': { get: describe(archive('application/gzip', 'Gzip')) },
  '/images/{name}/diff/{other}': { get: describe(DIFF) },
  '/directories/{name}': {
    get: describe(READ_DIRECTORY),
    put: describe(MAKE_DIRECTORY),
    patch: describe(CHOWN_DIRECTORY),
  },
};
