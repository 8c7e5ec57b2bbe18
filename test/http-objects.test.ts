/**
 * Objects over the network, by curl and by bare sockets: whole, in parts, broken off and resumed, slow, and large with
 * bounded memory. OBJECT_SIZE=4294967296 for the full size.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type TestServer } from './server.ts';

const CURL = Bun.which('curl');
const describeWithCurl = CURL ? describe : describe.skip;
const SIZE = Number(process.env.OBJECT_SIZE ?? 128 * 1024 * 1024);
/** Memory that the server may need more than it had before, however large the object, bytes. */
const MEMORY = 200 * 1024 * 1024;

const work = mkdtempSync(join(tmpdir(), 'http-objects-'));
const large = join(work, 'large');
let server: TestServer;
let hash = '';

/** Random contents, made and hashed piece by piece. */
function makeFile(path: string, size: number): string {
  const digest = createHash('sha512');
  const fd = openSync(path, 'w');
  const piece = new Uint8Array(1024 * 1024);
  for (let at = 0; at < size; at += piece.length) {
    for (let part = 0; part < piece.length; part += 65536)
      crypto.getRandomValues(piece.subarray(part, part + 65536));
    const bytes = piece.subarray(0, Math.min(piece.length, size - at));
    writeSync(fd, bytes);
    digest.update(bytes);
  }
  closeSync(fd);
  return digest.digest('hex');
}

function hashOfFile(path: string): string {
  return Bun.spawnSync(['sha512sum', path]).stdout.toString().slice(0, 128);
}

async function curl(
  ...args: string[]
): Promise<{ status: number; head: string; body: string; exit: number }> {
  const head = join(work, 'head');
  const child = Bun.spawn([CURL as string, '-sS', '-D', head, '-w', '%{stderr}%{http_code}', ...args], {
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [body, error, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return {
    status: Number(/\d{3}$/.exec(error)?.[0]),
    head: existsSync(head) ? readFileSync(head, 'utf8') : '',
    body,
    exit,
  };
}

const resident = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024;

/** The most memory that the server has while something is done, beyond what it had before. */
async function growth(run: () => Promise<void>): Promise<number> {
  const before = resident();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, resident());
  }, 50);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return most - before;
}

/** Files below OBJECT_DIR that are objects or parts of some. */
const files = () =>
  readdirSync(join(server.directory, 'objects'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  ).length;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen');
    await Bun.sleep(20);
  }
}

describeWithCurl('objects over the network', () => {
  const object = () => `${server.url}/objects/${hash}`;
  beforeAll(async () => {
    hash = makeFile(large, SIZE);
    server = await startServer({ args: ['-shutdownTimeout=1s'] });
  }, 300_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  }, 60_000);

  test(`${SIZE} bytes up and down, with bounded memory`, async () => {
    const up = await growth(async () => {
      expect((await curl('-T', large, object())).status).toBe(201);
    });
    const copy = join(work, 'copy');
    const down = await growth(async () => {
      expect((await curl('-o', copy, object())).status).toBe(200);
    });
    expect(hashOfFile(copy)).toBe(hash);
    rmSync(copy);
    expect([up < MEMORY, down < MEMORY]).toEqual([true, true]);
  }, 600_000);

  test('again: it is here already, or not even sent', async () => {
    expect((await curl('-T', large, object())).status).toBe(200);
    const refused = await curl('-T', large, '-H', 'if-none-match: *', object());
    expect([refused.status, refused.body.includes('PRECONDITION_FAILED')]).toEqual([412, true]);
  }, 300_000);

  test('parts and conditions', async () => {
    const etag = `"${hash}"`;
    const cases: [string[], number, number | undefined][] = [
      [['-r', '0-99'], 206, 100],
      [['-r', `${SIZE - 10}-`], 206, 10],
      [['-r', '-7'], 206, 7],
      [['-r', `${SIZE}-`], 416, undefined],
      [['-r', '0-0', '-H', `if-range: ${etag}`], 206, 1],
      [['-I'], 200, undefined],
      [['-H', `if-none-match: ${etag}`], 304, 0],
      [['-H', 'if-match: "other"'], 412, undefined],
    ];
    for (const [args, status, length] of cases) {
      const answer = await curl(...args, '-o', join(work, 'part'), object());
      expect([args, answer.status]).toEqual([args, status]);
      if (length !== undefined)
        expect(answer.head).toMatch(length === 0 ? /./ : new RegExp(`content-length: ${length}\\r`, 'i'));
      if (status === 416) expect(answer.head).toContain(`bytes */${SIZE}`);
    }
    const several = await curl('-r', '0-1,4-5', '-o', '/dev/null', object());
    expect([several.status, several.head.includes(`content-length: ${SIZE}`)]).toEqual([200, true]);
  }, 60_000);

  test('a download goes on where it broke off', async () => {
    const part = join(work, 'resumed');
    const broken = await curl('--limit-rate', '40M', '-m', '1', '-o', part, object());
    expect(broken.exit).toBe(28);
    const have = statSync(part).size;
    expect(have > 0 && have < SIZE).toBe(true);
    expect((await curl('-C', '-', '-o', part, object())).status).toBe(206);
    expect(hashOfFile(part)).toBe(hash);
    rmSync(part);
  }, 300_000);

  test('an upload goes on where it broke off', async () => {
    const file = join(work, 'second');
    const second = makeFile(file, 60_000_000);
    const url = `${server.url}/objects/${second}`;
    const broken = await curl(
      '-X',
      'PATCH',
      '-T',
      file,
      '--limit-rate',
      '20M',
      '-m',
      '1',
      '-H',
      'content-type: application/partial-upload',
      '-H',
      'upload-offset: 0',
      '-H',
      'upload-length: 60000000',
      url,
    );
    expect(broken.exit).toBe(28);
    const offset = async () => Number(/upload-offset: (\d+)/i.exec((await curl('-I', url)).head)?.[1] ?? -1);
    expect((await curl('-I', url)).status).toBe(404);
    // curl resumes a PUT by Content-Range.
    const from = await offset();
    expect(from > 0 && from < 60_000_000).toBe(true);
    const wrong = await curl('-C', String(from + 1), '-T', file, url);
    expect([wrong.status, wrong.head.includes(`upload-offset: ${from}`)]).toEqual([409, true]);
    const resumed = await curl('-C', String(from), '-T', file, url);
    expect([resumed.status, (JSON.parse(resumed.body) as { Added: boolean }).Added]).toEqual([201, true]);
    expect((await curl('-o', file, url)).status).toBe(200);
    expect(hashOfFile(file)).toBe(second);
    rmSync(file);
  }, 300_000);

  test('of unknown length: put, posted, broken off', async () => {
    const file = join(work, 'unknown');
    const unknown = makeFile(file, 20_000_000);
    const url = `${server.url}/objects/${unknown}`;
    const before = files();
    const pipe = (...args: string[]) =>
      Bun.spawnSync(['sh', '-c', 'curl -sS -w "%{http_code}" "$@" < "$0"', file, ...args]).stdout.toString();
    expect(pipe('-T', '-', '--limit-rate', '10M', '-m', '1', url)).toMatch(/100$/);
    await until(
      () => files() === before && readdirSync(join(server.directory, 'objects', '.tmp')).length === 0,
    );
    expect(pipe('-T', '-', `${server.url}/objects/${'ab'.repeat(64)}`)).toMatch(/HASH_MISMATCH.*422$/s);
    expect(pipe('-T', '-', url)).toMatch(/"Added":true.*201$/s);
    const post = [
      '-X',
      'POST',
      '-H',
      'content-type: application/octet-stream',
      '-T',
      '-',
      `${server.url}/objects`,
    ];
    expect(pipe(...post)).toMatch(new RegExp(`"Hash":"${unknown}","Added":false.*200$`, 's'));
    await until(() => readdirSync(join(server.directory, 'objects', '.tmp')).length === 0);
    const empty = await curl(
      '-H',
      'transfer-encoding: chunked',
      '-H',
      'content-type: application/octet-stream',
      '-d',
      '',
      `${server.url}/objects`,
    );
    expect(empty.status).toBe(400);
    rmSync(file);
  }, 120_000);

  test('what breaks off or is wrong leaves nothing behind', async () => {
    const file = join(work, 'third');
    const third = makeFile(file, 60_000_000);
    const before = files();
    const url = `${server.url}/objects/${third}`;
    expect((await curl('-T', file, '--limit-rate', '20M', '-m', '1', url)).exit).toBe(28);
    await until(
      () => files() === before && readdirSync(join(server.directory, 'objects', '.tmp')).length === 0,
    );
    const wrong = await curl('-T', file, `${server.url}/objects/${'ab'.repeat(64)}`);
    expect([wrong.status, wrong.body.includes('HASH_MISMATCH')]).toEqual([422, true]);
    const part = [
      '-X',
      'PATCH',
      '-H',
      'content-type: application/partial-upload',
      '-H',
      'upload-offset: 0',
      '-H',
      'upload-length: 60000000',
    ];
    expect((await curl(...part, '--data-binary', 'abc', url)).status).toBe(202);
    expect((await curl('-X', 'DELETE', url)).status).toBe(204);
    await until(
      () => files() === before && readdirSync(join(server.directory, 'objects', '.tmp')).length === 0,
    );
    rmSync(file);
  }, 300_000);

  test('slow readers and slow writers cost little memory and nobody’s time', async () => {
    const slow = (rate: string, ...args: string[]) =>
      curl('--limit-rate', rate, '-m', '4', '-o', '/dev/null', ...args);
    const more = await growth(async () => {
      const clients = [
        ...Array.from({ length: 20 }, () => slow('50k', object())),
        ...Array.from({ length: 10 }, () =>
          slow(
            '50k',
            '-H',
            'content-type: application/json',
            '-d',
            `{"Hashes":["${hash}"]}`,
            `${server.url}/objects/batch`,
          ),
        ),
        ...Array.from({ length: 10 }, () =>
          slow('500k', '-T', large, `${server.url}/objects/${'cd'.repeat(64)}`),
        ),
      ];
      await Bun.sleep(1500);
      const start = performance.now();
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
      expect(performance.now() - start).toBeLessThan(1000);
      await Promise.all(clients);
    });
    expect(more).toBeLessThan(MEMORY);
  }, 120_000);

  test('many objects in one answer', async () => {
    const batch = join(work, 'batch');
    const asked = JSON.stringify({ Hashes: [hash, 'ef'.repeat(64)] });
    expect(
      (
        await curl(
          '-H',
          'content-type: application/json',
          '-d',
          asked,
          '-o',
          batch,
          `${server.url}/objects/batch`,
        )
      ).status,
    ).toBe(200);
    expect(statSync(batch).size).toBe(2 * 72 + SIZE);
    rmSync(batch);
  }, 120_000);
});

/** Says something on a fresh connection and takes what comes until it is closed or `answers` answers are here. */
function say(port: number, text: string, answers: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
    const timer = setTimeout(() => socket.destroy(new Error(`only this came: ${got}`)), 10_000);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got);
    };
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      if ((got.match(/HTTP\/1\.1 \d/g) ?? []).length >= answers && got.endsWith('\n')) finish();
    });
    socket.on('end', finish);
    socket.on('error', reject);
  });
}

describe('one connection, many requests', () => {
  let plain: TestServer;
  beforeAll(async () => {
    plain = await startServer({ args: ['-shutdownTimeout=1s'] });
  }, 60_000);
  afterAll(() => plain[Symbol.asyncDispose](), 60_000);
  const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));

  test('pipelined requests are answered in order', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const post =
      'POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]';
    const answer = await say(plain.port, get('/healthz') + post + get('/nothing') + get('/healthz'), 4);
    expect(statuses(answer)).toEqual([200, 200, 404, 200]);
  });

  const smuggled = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (const [name, head] of [
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n'],
    ['an odd length', 'Content-Length: +4\r\n'],
    ['an unknown coding', 'Transfer-Encoding: xchunked\r\n'],
    ['a blank before the colon', 'Content-Length : 4\r\n'],
    ['a folded line', 'X: a\r\n Content-Length: 4\r\n'],
    ['two hosts', 'Host: other\r\n'],
  ] as const)
    test(`smuggling is refused: ${name}`, async () => {
      const request = `POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${head}\r\n0\r\n\r\n`;
      const answer = await say(plain.port, request + smuggled, 9).catch((error) => String(error));
      const found = statuses(answer);
      expect(answer).toMatch(/"code":"(?:INVALID_REQUEST|NOT_IMPLEMENTED)","requestId":"/);
      expect([found.length, found[0] !== undefined && found[0] >= 400]).toEqual([1, true]);
    });
});
