/** /swagger: the OpenAPI document and the page that shows it and tries it out. */
import { Elysia } from 'elysia';
import { swaggerPage } from '../dashboard/swagger-page.tsx';
import type { HttpDeps } from './deps.ts';
import { openApiDocument } from './openapi/document.ts';
import { pageReply } from './page-reply.ts';
import { textReply } from './reply.ts';

/** `routes` makes an application with all documented routes; asked for once, when the document is first wanted. */
export function swagger(deps: HttpDeps, routes: () => Elysia) {
  let document: Promise<string> | undefined;
  return new Elysia({ name: 'swagger' })
    .get(
      '/swagger/json',
      async ({ request }) => {
        document ??= openApiDocument(deps, routes());
        return textReply(request, await document, 'application/json', {
          headers: { 'cache-control': 'no-cache' },
        });
      },
      { detail: { hide: true } },
    )
    .get('/swagger', ({ request }) => pageReply(request, swaggerPage()), { detail: { hide: true } });
}
