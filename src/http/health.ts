/** For load balancers and service managers: is the process alive, and should it get traffic? */
import { Elysia } from 'elysia';
import type { HttpDeps } from './deps.ts';
import { answerHeaders } from './entrance.ts';
import { describe, TEXT } from './openapi/operation.ts';
import type { RequestState } from './request-state.ts';

const TYPE = 'text/plain; charset=utf-8';
const ALIVE = 'OK\n';

const HEADERS = { 'content-type': TYPE, 'content-length': '3' };

/** The answer of /healthz as it leaves, with what all answers carry. */
export function alive(state: RequestState): Response {
  return new Response(ALIVE, { headers: { ...HEADERS, ...answerHeaders(state) } });
}

export function health(deps: HttpDeps) {
  return new Elysia({ name: 'health' })
    .get(
      '/healthz',
      // GET is answered before the router is asked; this is what HEAD is made of.
      () => new Response(ALIVE, { headers: HEADERS }),
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
