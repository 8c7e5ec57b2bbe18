/** `/metrics`: for monitoring systems; open to everybody, as the original's metrics are. */
import { Elysia } from 'elysia';
import type { HttpDeps } from './deps.ts';
import { describe, TEXT } from './openapi/operation.ts';

export function metrics({ metrics }: HttpDeps) {
  return new Elysia({ name: 'metrics' }).get(
    '/metrics',
    async () =>
      new Response(await metrics.text(), {
        headers: { 'content-type': metrics.contentType, 'cache-control': 'no-store' },
      }),
    {
      detail: describe({
        tag: 'Health',
        summary: 'Metrics in the text form of Prometheus',
        description:
          'Calls and their times, images, objects, space, damage, connections, certificates, replication.',
        permission: [],
        ok: { description: 'Metrics', content: TEXT('imageserver_images 42\n') },
      }),
    },
  );
}
