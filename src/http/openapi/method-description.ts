/** The OpenAPI operation of an RPC method, from its declaration. */
import type { DocumentDecoration } from 'elysia';
import type { ErrorCode } from '../../errors.ts';
import type { Method } from '../../methods/method.ts';
import { AddObjectsBody, AddObjectsReply, GetObjectsReply } from '../rpc/object-messages.ts';
import { exampleOf } from './examples.ts';
import { type Answer, type Description, describe, JSON_OF } from './operation.ts';
import { messageSchema } from './schemas.ts';

/** Codes that callers of a method have to reckon with, beside those of every call. */
const ADD_IMAGE: readonly ErrorCode[] = [
  'IMAGE_EXISTS',
  'OBJECTS_MISSING',
  'CONFLICT',
  'INVALID_NAME',
  'INVALID_IMAGE',
  'DIRECTORY_NOT_FOUND',
  'NO_SPACE',
];
const ERRORS: Readonly<Record<string, readonly ErrorCode[]>> = {
  'ImageServer.AddImage': ADD_IMAGE,
  'ImageServer.AddImageTrusted': ADD_IMAGE,
  'ImageServer.ChangeImageExpiration': ['IMAGE_NOT_FOUND', 'NOT_EXPIRING', 'CONFLICT', 'REPLICA'],
  'ImageServer.ChownDirectory': ['DIRECTORY_NOT_FOUND'],
  'ImageServer.DeleteImage': ['IMAGE_NOT_FOUND', 'REPLICA'],
  'ImageServer.FindLatestImage': ['DIRECTORY_NOT_FOUND'],
  'ImageServer.GetImage': ['CORRUPT'],
  'ImageServer.GetImageExpiration': ['IMAGE_NOT_FOUND'],
  'ImageServer.MakeDirectory': ['DIRECTORY_EXISTS', 'DIRECTORY_NOT_FOUND', 'INVALID_NAME', 'REPLICA'],
  'ImageServer.PurgeTrash': ['IMAGE_NOT_FOUND'],
  'ImageServer.ReleaseHeldDeletions': ['CONFLICT', 'UNAVAILABLE'],
  'ImageServer.UndeleteImage': [
    'IMAGE_NOT_FOUND',
    'IMAGE_EXISTS',
    'OBJECTS_MISSING',
    'DIRECTORY_NOT_FOUND',
    'REPLICA',
  ],
  'ObjectServer.GetObjects': ['CORRUPT'],
};

const NDJSON_TEXT = 'One JSON value a line; a stream that breaks off was not complete.';

function ndjson(schema: object, example: unknown): Answer {
  return {
    description: NDJSON_TEXT,
    content: {
      'application/x-ndjson': {
        schema: {
          type: 'string',
          description: 'Each line is a value of the schema given as `x-item`.',
          'x-item': schema,
        } as object,
        example: `${JSON.stringify(example)}\n`,
      },
    },
  };
}

function requestBody(method: Method): Pick<Description, 'body'> {
  if (method.shape === 'lines' || (method.shape === 'stream' && !method.request))
    return {
      body: {
        description: 'Nothing is asked for.',
        content: JSON_OF({ type: 'object', additionalProperties: false }, {}),
      },
    };
  const schema = method.name === 'ObjectServer.AddObjects' ? AddObjectsBody : method.request;
  if (!schema) return {};
  const json = JSON_OF(messageSchema(schema), exampleOf(schema, method.name));
  return method.name === 'ObjectServer.TestBandwidth'
    ? {
        body: {
          description:
            'To the server: a body of type `application/octet-stream`, whose first line is the request as JSON, then the chunks, each followed by a mark (1 = more follow, 0 = last).',
          content: { ...json, 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
        },
      }
    : { body: { content: json } };
}

function answerOf(method: Method): Answer {
  switch (method.shape) {
    case 'lines':
      return ndjson({ type: 'string' }, 'base/img.0');
    case 'text':
      return ndjson({ type: 'string' }, '2026/11/24 10:15:30 DeleteImage(base/img.0) by alice');
    case 'stream':
      return ndjson(messageSchema(method.item), exampleOf(method.item, method.name));
    case 'channel': {
      if (method.name === 'ObjectServer.TestBandwidth')
        return {
          description:
            'From the server: the chunks, then the reply as one line of JSON. To the server: the reply.',
          content: {
            'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
            ...JSON_OF(messageSchema(method.reply)),
          },
        };
      const reply = method.name === 'ObjectServer.AddObjects' ? AddObjectsReply : GetObjectsReply;
      return {
        description: 'The reply',
        content: JSON_OF(messageSchema(reply), exampleOf(reply, method.name)),
      };
    }
    default:
      return {
        description: 'The reply',
        content: JSON_OF(messageSchema(method.reply), exampleOf(method.reply, method.name)),
      };
  }
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  'Logger.Watch':
    'The stream never ends, so try it with `curl -N`. A listener that falls far behind is cut off.',
  'ImageServer.GetImageUpdates':
    'The stream never ends, so try it with `curl -N`; with GET it comes as Server-Sent Events.',
  'ObjectServer.AddObjects': 'For small objects; big ones are better sent by `PUT /objects/{hash}`.',
  'ObjectServer.GetObjects':
    'At most 32 MiB as JSON; more by `POST /objects/batch` or `GET /objects/{hash}`.',
};

export function describeMethod(method: Method): DocumentDecoration {
  const access = method.public ? 'Any valid client certificate may call it; ownership rules may follow.' : '';
  return describe({
    tag: method.name.slice(0, method.name.indexOf('.')),
    operationId: method.name,
    summary: method.summary,
    description: [DESCRIPTIONS[method.name], access].filter(Boolean).join(' '),
    permission: [method.name],
    ...requestBody(method),
    ok: answerOf(method),
    errors: [
      'INVALID_REQUEST',
      ...(ERRORS[method.name] ?? []),
      'UNSUPPORTED_MEDIA_TYPE',
      'TOO_LARGE',
      'TIMEOUT',
    ],
  });
}
