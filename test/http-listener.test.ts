/** The daemon's second listener, its names and its access log. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { startServer } from './server.ts';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** What comes back for a text that no client library would send. */
function answerTo(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(heard));
    socket.on('error', reject);
  });
}

test('anonymous reading on a port of its own; names; a line for each request', async () => {
  const port = await freePort();
  const args = [`-httpPortNum=${port}`, '-httpHostNames=images.example.com,other.example', '-httpAccessLog'];
  await using server = await startServer({ args: [...args, '-shutdownTimeout=1s'] });
  const type = { 'content-type': 'application/octet-stream' };
  const stored = await fetch(`${server.url}/objects`, { method: 'POST', headers: type, body: 'abc' });
  const path = stored.headers.get('location') as string;
  expect(await (await fetch(`http://127.0.0.1:${port}${path}`)).text()).toBe('abc');
  expect((await fetch(`http://127.0.0.1:${port}${path}`, { method: 'PUT', body: 'abc' })).status).toBe(405);

  const asked = async (host: string) => (await fetch(`${server.url}/`, { headers: { host } })).status;
  expect([
    await asked('images.example.com:80'),
    await asked('OTHER.example'),
    await asked('evil.example'),
  ]).toEqual([200, 200, 421]);
  expect(await answerTo(server.port, 'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toMatch(
    /^HTTP\/1.1 501 [\s\S]*x-request-id: (\S+)\r[\s\S]*"code":"NOT_IMPLEMENTED","requestId":"\1"/,
  );
  await server.stop();
  const lines = readFileSync(join(server.directory, 'logs', 'access.log'), 'utf8')
    .split('\n')
    .filter(Boolean);
  expect(lines.map((line) => line.split(' ').slice(1, 7).join(' '))).toEqual([
    '127.0.0.1 - POST /objects 201 169',
    `127.0.0.1 - GET ${path} 200 3`,
    `127.0.0.1 - PUT ${path} 405 ${lines[2]?.split(' ')[6]}`,
    ...[200, 200, 421].map(
      (status, index) => `127.0.0.1 - GET / ${status} ${lines[3 + index]?.split(' ')[6]}`,
    ),
    `127.0.0.1 - - - 501 ${lines[6]?.split(' ')[6]}`,
  ]);
}, 60_000);
