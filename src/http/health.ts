/** For load balancers and service managers: is the process alive, and should it get traffic? */
import { Elysia } from 'elysia';
import type { HttpDeps } from './deps.ts';
import { describe, TEXT } from './openapi/operation.ts';

const TYPE = 'text/plain; charset=utf-8';
const ALIVE = 'OK\n';

/** The answer of /healthz as it leaves, with what all answers carry. */
export function alive(id: string): Response {
  return new Response(ALIVE, {
    headers: {
      'content-type': TYPE,
      'content-length': '3',
      'x-request-id': id,
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    },
  });
}

export function health(deps: HttpDeps) {
  return new Elysia({ name: 'health' })
    .get(
      '/healthz',
      // GET is answered before the router is asked; this is what HEAD is made of.
      () => new Response(ALIVE, { headers: { 'content-type': TYPE, 'content-length': '3' } }),
      {
        detail: describe({
          tag: 'Health',
          summary: 'Is the process alive?',
          description: 'Always `OK` while the server answers at all.',
          permission: [],
          ok: { description: 'Alive', content: TEXT('OK\n') },
        }),
      },
    )
    .get(
      '/readiness',
      () => {
        const { ready, reasons } = deps.readiness();
        const text = `${[ready ? 'ready' : 'not ready', ...reasons].join('\n')}\n`;
        return new Response(text, {
          status: ready ? 200 : 503,
          headers: {
            'content-type': 'text/plain; charset=utf-8',
            'content-length': String(Buffer.byteLength(text)),
            'cache-control': 'no-store',
          },
        });
      },
      {
        detail: describe({
          tag: 'Health',
          summary: 'Should this server get traffic?',
          description:
            '200 once the catalogue is loaded; a replica that has no images yet is not ready before it has compared itself with its master. What is not well follows, one reason a line.',
          permission: [],
          ok: { description: 'Ready', content: TEXT('ready\n') },
          others: {
            503: {
              description: 'Not ready; the reasons follow, one a line',
              content: TEXT('not ready\nloading images\n'),
            },
          },
        }),
      },
    );
}
