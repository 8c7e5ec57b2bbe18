/** Every recorded client certificate calls every method over HTTPS: the same decisions as over SRPC. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { methods } from '../src/methods/table.ts';
import {
  askHttps,
  type Configuration,
  type Granted,
  type Pair,
  recordedOutcomes,
  recordedPair,
  startRecorded,
} from './access-lab.ts';
import type { TestServer } from './server.ts';
import { describeWithVectors, haveVectors } from './vectors.ts';

describeWithVectors('recorded permissions over HTTPS', () => {
  if (!haveVectors) return;
  for (const [name, clients] of Object.entries(recordedOutcomes())) {
    describe(name, () => {
      let server: TestServer;
      beforeAll(async () => {
        server = await startRecorded(name as Configuration);
      });
      afterAll(() => server[Symbol.asyncDispose]());
      const call = (method: string, pair?: Pair) =>
        askHttps(server.port, `/rpc/${method}`, {
          ...pair,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"NoSuchField":1}',
        });
      /** Whatever the arguments are worth: an answer about them means that the call was permitted. */
      const verdict = async (method: string, pair: Pair) => {
        const { status, body } = await call(method, pair);
        if (status === 403 && body.includes(`access to method denied: ${method}`)) return 'denied';
        return [200, 400, 422].includes(status) ? 'granted' : `${status} ${body}`;
      };

      test.each(Object.entries(clients).filter(([, outcome]) => typeof outcome === 'string'))(
        '%s is sent away',
        async (client) => {
          const { status, body } = await call('ImageServer.CheckImage', recordedPair(client));
          expect([status, JSON.parse(body)]).toEqual([
            401,
            expect.objectContaining({
              code: 'UNAUTHENTICATED',
              detail: expect.stringMatching(/^the client certificate is not accepted: ./),
            }),
          ]);
          expect(await askHttps(server.port, '/', recordedPair(client))).toMatchObject({ status: 401 });
        },
      );

      test.each(Object.entries(clients).filter(([, outcome]) => typeof outcome !== 'string'))(
        '%s',
        async (client, outcome) => {
          const { granted, denied } = outcome as Granted;
          const pair = recordedPair(client);
          expect([...granted, ...denied].filter((method) => !methods.has(method))).toEqual([]);
          for (const method of granted)
            expect([method, await verdict(method, pair)]).toEqual([method, 'granted']);
          for (const method of denied)
            expect([method, await verdict(method, pair)]).toEqual([method, 'denied']);
        },
      );

      test('without a certificate no method may be called', async () => {
        for (const method of methods.keys())
          expect([method, (await call(method)).status]).toEqual([method, 401]);
      });
    });
  }
});
