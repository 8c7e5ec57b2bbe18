import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { RawPeer } from '../srpc/fixture.ts';
import { GobEncoder } from '../wire/gob/encoder.ts';
import { CheckImageRequest } from '../wire/messages/imageserver.ts';
import { startFront } from './front-fixture.ts';

const request = Buffer.from(new GobEncoder().encode(CheckImageRequest, { ImageName: 'yes' })).toString(
  'latin1',
);
const SEEDS = [
  `CONNECT /_goSRPC_/ HTTP/1.0\n\n\nFake.CheckImage\n${request}Fake.Echo\n${request}`,
  'CONNECT /_SRPC_/unsecured/JSON HTTP/1.0\n\nFake.CheckImage\n{"ImageName":"yes"}\nFake.Echo\n{"ImageName":"3"}abc{}',
  'CONNECT /_goSRPC_/ HTTP/1.0\n\nFake.List\nFake.Lines\n',
  'POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.0\r\n\r\n',
  '\x16\x03\x01\x00\x10\x01\x00\x00\x0c\x03\x03abcdefghij',
];

const edit = fc.record({
  at: fc.nat(200),
  remove: fc.nat(4),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.constantFrom(
      '\n',
      '\r\n',
      '\0',
      '{',
      '}',
      '"',
      ' ',
      '\xff',
      '\xf8\xff\xff\xff\xff\xff\xff\xff\xff',
      ': ',
    ),
  ),
});

/** Whatever is said, everybody else is served, and nothing is left behind. */
test.each([false, true])(
  'mangled conversations, TLS %p',
  async (secure) => {
    await using server = await startFront({ secure, limits: { firstBytesMs: 200, tlsHandshakeMs: 200 } });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SEEDS),
        fc.array(edit, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (seed, edits, reset) => {
          let said = seed;
          for (const { at, remove, insert } of edits)
            said = said.slice(0, at) + insert + said.slice(at + remove);
          using peer = await RawPeer.to(server.port);
          peer.say(said);
          if (reset) {
            await new Promise((resolve) => setImmediate(resolve));
            peer.socket.resetAndDestroy();
          } else {
            peer.socket.end();
            await peer.rest();
          }
        },
      ),
      { numRuns: 300 },
    );
    using peer = await RawPeer.to(server.port);
    peer.say('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await peer.rest()).toEndWith('GET / nobody false');
    while (server.front.connections().open > 0) await Bun.sleep(20);
    expect(server.log.filter((line) => /Error|failed:/.test(line) && !/TLS handshake/.test(line))).toEqual(
      [],
    );
  },
  60_000,
);
