/** Every recorded client certificate calls every method over SRPC/TLS, with and without identity CA. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import {
  type Configuration,
  type Granted,
  LineConnection,
  recordedOutcomes,
  recordedPair,
  startRecorded,
} from './access-lab.ts';
import type { TestServer } from './server.ts';
import { describeWithVectors, haveVectors } from './vectors.ts';

const DENIED = 'access to method denied';

describeWithVectors('recorded permissions over SRPC', () => {
  if (!haveVectors) return;
  for (const [name, clients] of Object.entries(recordedOutcomes())) {
    describe(name, () => {
      let server: TestServer;
      beforeAll(async () => {
        server = await startRecorded(name as Configuration);
      });
      afterAll(() => server[Symbol.asyncDispose]());
      const connect = (client: string): Promise<SrpcClient> =>
        connectSrpc({ host: '127.0.0.1', port: server.port, tls: { pairs: [recordedPair(client)] } });

      /** What the server says to a method line; empty: it accepts the call. */
      async function answer(client: string, method: string): Promise<string> {
        const connection = await connect(client);
        try {
          await connection.open(method);
          return '';
        } catch (error) {
          return (error as Error).message;
        } finally {
          connection.close();
        }
      }

      test.each(Object.entries(clients).filter(([, outcome]) => typeof outcome === 'string'))(
        '%s is sent away',
        async (client) => {
          const failure = await connect(client).then(
            (connection) => connection.close(),
            (error) => error,
          );
          expect(failure).toMatchObject({ code: 'UNAUTHENTICATED' });
        },
      );

      test.each(Object.entries(clients).filter(([, outcome]) => typeof outcome !== 'string'))(
        '%s',
        async (client, outcome) => {
          const { granted, denied } = outcome as Granted;
          for (const method of granted) expect([method, await answer(client, method)]).toEqual([method, '']);
          for (const method of denied)
            expect([method, await answer(client, method)]).toEqual([method, DENIED]);
        },
      );

      test.each(Object.entries(clients))('%s, JSON coder', async (client, outcome) => {
        const open = () => LineConnection.open(server.port, '/_SRPC_/TLS/JSON', recordedPair(client));
        const first = await open();
        if (typeof outcome === 'string') {
          expect(await first.ask('ImageServer.ListImages')).toBe('remote error: tls: bad certificate');
          first.close();
          return;
        }
        // A denial leaves the connection as it was.
        for (const method of outcome.denied)
          expect([method, await first.ask(method)]).toEqual([method, DENIED]);
        expect(await first.ask('')).toBe('');
        first.close();
        for (const method of outcome.granted) {
          const connection = await open();
          expect([method, await connection.ask(method)]).toEqual([method, '']);
          connection.close();
        }
      });

      test('denials left audit lines', () => {
        const lines = readFileSync(join(server.directory, 'logs', 'audit.log'), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
        const expected = Object.values(clients).flatMap((outcome) =>
          typeof outcome === 'string' ? [] : outcome.denied,
        );
        const denied = lines.filter(({ outcome }) => outcome === 'denied');
        // Once with each coder.
        expect(denied.map(({ method }) => method).sort()).toEqual([...expected, ...expected].sort());
        for (const line of denied)
          expect(line).toMatchObject({
            peer: '127.0.0.1',
            transport: 'srpc+tls',
            user: expect.stringMatching(/./),
            serial: expect.stringMatching(/^[0-9a-f]+$/),
            fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
          });
        expect(lines.some(({ outcome }) => outcome === 'refused')).toBe(true);
      });
    });
  }
});
