/** How routes describe themselves in the OpenAPI document: one short form for all of them. */
import type { DocumentDecoration } from 'elysia';
import { ERROR_KINDS, type ErrorCode } from '../../errors.ts';
import { HTTP_CODES, type HttpCode } from '../problem.ts';

type Body = Extract<NonNullable<DocumentDecoration['requestBody']>, { content: unknown }>;
type Content = Body['content'];
type Parameter = Extract<NonNullable<DocumentDecoration['parameters']>[number], { in: string }>;
type Schema = NonNullable<Parameter['schema']>;
type ResponseObject = Extract<NonNullable<DocumentDecoration['responses']>[string], { description: string }>;

export interface Answer {
  readonly description: string;
  readonly content?: Content;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Description {
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly operationId?: string;
  /** RPC methods that the caller must be allowed to call; empty = open to everybody. */
  readonly permission: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly body?: { readonly description?: string; readonly content: Content };
  /** The answer in case of success. */
  readonly ok: Answer;
  readonly okStatus?: number;
  readonly others?: Readonly<Record<number, Answer>>;
  /** Codes of the problem documents that may come, beside those that any route may answer. */
  readonly errors?: readonly (ErrorCode | HttpCode)[];
}

export const TEXT = (example: string): Content => ({
  'text/plain': { schema: { type: 'string' }, example },
});
export const BINARY = (type = 'application/octet-stream'): Content => ({
  [type]: { schema: { type: 'string', format: 'binary' } },
});
export const JSON_OF = (schema: object, example?: unknown): Content => ({
  'application/json': {
    schema: schema as Schema,
    ...(example === undefined ? {} : { example }),
  },
});

export const REF = (name: string) => ({ $ref: `#/components/schemas/${name}` });

export const EXAMPLE_HASH =
  'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';

export function pathParameter(name: string, description: string, example: string): Parameter {
  return { in: 'path', name, required: true, description, schema: { type: 'string' }, example };
}
export function queryParameter(
  name: string,
  description: string,
  schema: Schema = { type: 'string' },
): Parameter {
  return { in: 'query', name, required: false, description, schema };
}
export function headerParameter(name: string, description: string, required = false): Parameter {
  return { in: 'header', name, required, description, schema: { type: 'string' } };
}

function statusOf(code: ErrorCode | HttpCode): number {
  return code in ERROR_KINDS ? ERROR_KINDS[code as ErrorCode].http : HTTP_CODES[code as HttpCode];
}

function answerObject(answer: Answer): ResponseObject {
  const headers = Object.entries(answer.headers ?? {}).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' as const } },
  ]);
  return {
    description: answer.description,
    ...(answer.content ? { content: answer.content } : {}),
    ...(headers.length > 0 ? { headers: Object.fromEntries(headers) } : {}),
  };
}

/** Problem documents by status, each naming the codes it may carry. */
function problemAnswers(codes: readonly (ErrorCode | HttpCode)[]): Record<string, ResponseObject> {
  const byStatus = new Map<number, string[]>();
  for (const code of codes) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code]);
  const answers = [...byStatus].map(([status, named]): [string, ResponseObject] => [
    String(status),
    {
      description: named.map((code) => `\`${code}\``).join(', '),
      content: {
        'application/problem+json': {
          schema: REF('Problem'),
          example: {
            type: `urn:imageserver:error:${named[0]?.toLowerCase().replaceAll('_', '-')}`,
            title: named[0]
              ?.toLowerCase()
              .replaceAll('_', ' ')
              .replace(/^./, (c) => c.toUpperCase()),
            status,
            detail: 'what went wrong, in words',
            code: named[0],
            requestId: '5f0c2a1b-1',
          },
        },
      },
    },
  ]);
  return Object.fromEntries(answers);
}

function permissionText(permission: readonly string[]): string {
  if (permission.length === 0) return '**Permission**: none, open to everybody.';
  return `**Permission**: ${permission.map((name) => `\`${name}\``).join(' and ')}.`;
}

/** The OpenAPI operation of a route. */
export function describe(from: Description): DocumentDecoration {
  const anyRoute: (ErrorCode | HttpCode)[] =
    from.permission.length > 0 ? ['UNAUTHENTICATED', 'ACCESS_DENIED', 'CROSS_ORIGIN'] : [];
  const errors = [...new Set([...(from.errors ?? []), ...anyRoute])];
  const responses = {
    [from.okStatus ?? 200]: answerObject(from.ok),
    ...Object.fromEntries(Object.entries(from.others ?? {}).map(([status, a]) => [status, answerObject(a)])),
    ...problemAnswers(errors),
  };
  return {
    tags: [from.tag],
    summary: from.summary,
    description: [from.description, permissionText(from.permission)].filter(Boolean).join('\n\n'),
    ...(from.operationId ? { operationId: from.operationId } : {}),
    ...(from.parameters ? { parameters: [...from.parameters] } : {}),
    ...(from.body
      ? {
          requestBody: {
            required: true,
            description: from.body.description ?? '',
            content: from.body.content,
          },
        }
      : {}),
    responses,
    'x-required-permission': from.permission,
  } as DocumentDecoration;
}
