import { expect, test } from 'bun:test';
import type { Call } from './method.ts';
import { askedFor, listening } from './old-replicas.ts';
import type { Services } from './services.ts';

const SECONDS_60 = 60_000_000_000n;
const services = (...names: string[]) => {
  const known = new Set(names);
  return { images: { size: known.size, has: (name: string) => known.has(name) } } as unknown as Services;
};
const callOf = (peer: string, transport: 'srpc' | 'http' = 'srpc') => ({ peer, transport }) as Call;

test('who asks for an image as a replica of the original does expires it by itself', () => {
  const server = services('x', 'y');
  const listener = listening(server, '10.0.0.1');
  const other = listening(server, '10.0.0.2');
  askedFor(server, callOf('10.0.0.1'), 'x');
  askedFor(server, callOf('10.0.0.1'), 'y', SECONDS_60);
  expect([listener.expiresByItself('x'), listener.expiresByItself('y')]).toEqual([true, true]);
  expect(other.expiresByItself('x')).toBe(false);
});

test('others do not: another timeout, HTTP, before the session, after it', () => {
  const server = services('x');
  askedFor(server, callOf('10.0.0.1'), 'x');
  const listener = listening(server, '10.0.0.1');
  askedFor(server, callOf('10.0.0.1'), 'x', 0n);
  askedFor(server, callOf('10.0.0.1', 'http'), 'x');
  expect(listener.expiresByItself('x')).toBe(false);
  askedFor(server, callOf('10.0.0.1'), 'x');
  expect(listener.expiresByItself('x')).toBe(true);
  listener.end();
  expect(listening(server, '10.0.0.1').expiresByItself('x')).toBe(false);
});

test('names that are gone are not remembered for ever', () => {
  const server = services('kept', 'also');
  const listener = listening(server, 'p');
  for (let i = 0; i < 1000; i++) askedFor(server, callOf('p'), `gone ${i}`);
  askedFor(server, callOf('p'), 'kept');
  expect(listener.expiresByItself('gone 0')).toBe(false);
  expect(listener.expiresByItself('kept')).toBe(true);
});
