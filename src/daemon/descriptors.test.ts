import { expect, test } from 'bun:test';
import { affordableConnections } from './descriptors.ts';

const wanted = { connections: 10_000, connectionsPerPeer: 2_000 };

test.each([
  [undefined, wanted, 0],
  [1_000_000, wanted, 0],
  [10_512, wanted, 0],
  [10_511, { connections: 9_999, connectionsPerPeer: 2_000 }, 1],
  [1024, { connections: 512, connectionsPerPeer: 256 }, 1],
  [80, { connections: 40, connectionsPerPeer: 20 }, 1],
])('%p descriptors', (descriptors, limits, warnings) => {
  const log: string[] = [];
  expect(affordableConnections(wanted, (line) => log.push(line), descriptors)).toEqual(limits);
  expect(log.length).toBe(warnings);
});
