/** Those who read large trees from the server: as pages, JSON, archives; fast ones and slow ones. */
import { connect } from 'node:net';

/** What is asked for about an image. */
export const TREE_REQUESTS: readonly [what: string, request: (name: string, other: string) => Request][] = [
  ['page listImage', (name) => get(`/listImage?${name}`)],
  ['image as JSON', (name) => get(`/images/${name}`)],
  ['image as tar', (name) => get(`/images/${name}.tar`)],
  ['difference of two', (name, other) => get(`/images/${name}/diff/${other}`)],
  [
    'GetImage as JSON RPC',
    (name) => {
      const call = { jsonrpc: '2.0', id: 1, method: 'ImageServer.GetImage', params: { ImageName: name } };
      const headers = { 'content-type': 'application/json', 'accept-encoding': 'identity' };
      return new Request('http://x/rpc', { method: 'POST', headers, body: JSON.stringify(call) });
    },
  ],
];
const get = (path: string) => new Request(`http://x${path}`, { headers: { 'accept-encoding': 'identity' } });

/** Every image is asked for once, `count` at a time. Resolves with the bytes that came. */
export async function readers(
  url: string,
  names: readonly string[],
  count: number,
  request: (name: string, other: string) => Request,
): Promise<number> {
  const waiting = [...names.keys()];
  let bytes = 0;
  const ask = async () => {
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      const asked = request(names[index] as string, names[(index + 1) % names.length] as string);
      const { pathname, search } = new URL(asked.url);
      const answer = await fetch(`${url}${pathname}${search}`, asked);
      if (!answer.ok) throw new Error(`${asked.url}: ${answer.status}`);
      for await (const chunk of answer.body ?? []) bytes += chunk.length;
    }
  };
  await Promise.all(Array.from({ length: count }, ask));
  return bytes;
}

/** Asks, and takes `rate` bytes a second of the answer until the signal. Resolves with what came; rejects if it broke. */
export function slowReader(port: number, path: string, rate: number, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    socket.on('data', (data: Buffer) => {
      bytes += data.length;
      socket.pause();
      setTimeout(() => socket.resume(), (data.length / rate) * 1000);
    });
    socket.once('error', reject);
    socket.once('close', () =>
      signal.aborted ? resolve(bytes) : reject(new Error(`broke off after ${bytes}`)),
    );
    signal.addEventListener('abort', () => socket.destroy());
  });
}
