import { expect, test } from 'bun:test';
import { sha512Hex, sha512Pointers } from '../sha512.ts';
import { workerUrl } from '../text-worker.ts';
import threadSource from './hash-thread.js' with { type: 'text' };

test.each([
  ["the runtime's code", undefined],
  ["the system library's, where there is one", sha512Pointers()],
])('slices in shared memory, one content after the other: %s', async (_name, pointers) => {
  const source = workerUrl(threadSource);
  const thread = new Worker(source);
  try {
    const told: string[] = [];
    let wake: () => void = () => undefined;
    thread.onmessage = ({ data }: MessageEvent<string>) => {
      told.push(data);
      wake();
    };
    const hear = async (count: number) => {
      while (told.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return told.splice(0);
    };
    const shared = new SharedArrayBuffer(1000);
    const bytes = new Uint8Array(shared);
    for (let at = 0; at < 1000; at++) bytes[at] = at * 3;
    thread.postMessage({ shared, pointers });
    thread.postMessage([0, 700]);
    thread.postMessage([700, 300]);
    thread.postMessage('digest');
    expect(await hear(3)).toEqual(['', '', sha512Hex(Buffer.from(bytes))]);
    thread.postMessage([1, 2]);
    thread.postMessage('digest');
    expect(await hear(2)).toEqual(['', sha512Hex(Buffer.from(bytes.subarray(1, 3)))]);
    thread.postMessage('digest');
    expect(await hear(1)).toEqual([sha512Hex(new Uint8Array(0))]);
  } finally {
    thread.terminate();
    URL.revokeObjectURL(source);
  }
});
