/** Peers who mean no good: half-open connections, slow and garbage handshakes, resets at every stage, dripped lines. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Pair } from './access-lab.ts';

/** The attackers' address: another one than the well-behaved client's. */
const ATTACKER = '127.0.0.2';
const CONNECT = 'CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n';
/** A record of TLS that announces 512 bytes of ClientHello. */
const HELLO_START = Buffer.from('1603010200010001fc0303', 'hex');

export interface Attack {
  readonly port: number;
  readonly count: number;
  readonly pair: Pair;
  readonly until: number;
}

/** Begins a connection; `speak` is told when it stands. Refusals and resets are what attackers expect. */
function open(port: number, speak: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: ATTACKER }, () => speak(socket));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
}
const left = ({ until }: Attack) => Math.max(0, until - Date.now());

/** So many at once, all held until the end. */
function hold(attack: Attack, speak: (socket: Socket) => void): Promise<unknown> {
  const all = Array.from({ length: attack.count }, () =>
    open(attack.port, (socket) => {
      speak(socket);
      setTimeout(() => socket.destroy(), left(attack));
    }),
  );
  return Promise.all(all);
}

/** One after another in many lanes until the end. */
async function hammer(attack: Attack, speak: (socket: Socket, round: number) => void): Promise<void> {
  let round = 0;
  const lane = async () => {
    while (left(attack) > 0) await open(attack.port, (socket) => speak(socket, round++));
  };
  await Promise.all(Array.from({ length: 50 }, lane));
}

function drip(socket: Socket, bytes: Uint8Array, everyMs: number): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(bytes.subarray(at, ++at));
  }, everyMs);
}

function secured(socket: Socket, pair: Pair, speak: (secure: TLSSocket) => void): void {
  socket.once('data', () => {
    const secure = tlsConnect({ socket, ...pair, rejectUnauthorized: false }, () => speak(secure));
    secure.on('error', () => undefined);
    secure.on('close', () => socket.destroy());
  });
  socket.write(CONNECT);
}

/** By name; each lasts until `until`, milliseconds since the epoch. */
export const ATTACKS: Record<string, (attack: Attack) => Promise<unknown>> = {
  'half-open': (attack) => hold(attack, () => undefined),
  'first bytes dripped': (attack) => hold(attack, (socket) => drip(socket, Buffer.from(CONNECT), 500)),
  'slow handshakes, tunnel': (attack) =>
    hold(attack, (socket) => socket.write(CONNECT, () => drip(socket, HELLO_START, 500))),
  'slow handshakes, TLS first': (attack) => hold(attack, (socket) => drip(socket, HELLO_START, 500)),
  'garbage in the tunnel': (attack) =>
    hammer(attack, (socket) => socket.write(CONNECT, () => socket.write(randomBytes(600)))),
  'garbage ClientHellos': (attack) =>
    hammer(attack, (socket) => socket.write(Buffer.concat([HELLO_START, randomBytes(507)]))),
  'oversized records': (attack) =>
    hammer(attack, (socket) =>
      socket.write(Buffer.concat([Buffer.from('160301ffff', 'hex'), randomBytes(65_535)])),
    ),
  'resets at every stage': (attack) =>
    hammer(attack, (socket, round) => {
      const reset = () => socket.resetAndDestroy();
      switch (round % 6) {
        case 0:
          return reset();
        case 1:
          return void socket.write('CONN', reset);
        case 2:
          return void socket.write(CONNECT, reset);
        case 3:
          return void socket.write(CONNECT, () => socket.write(HELLO_START, reset));
        case 4:
          return secured(socket, attack.pair, reset);
        default:
          return secured(socket, attack.pair, (secure) => secure.write('ImageServer.Che', reset));
      }
    }),
  'method lines dripped': (attack) =>
    hold({ ...attack, count: Math.ceil(attack.count / 5) }, (socket) =>
      secured(socket, attack.pair, (secure) => drip(secure, Buffer.alloc(100, 0x41), 500)),
    ),
  'endless method lines': (attack) =>
    hammer(attack, (socket) =>
      secured(socket, attack.pair, (secure) => secure.write(Buffer.alloc(100_000, 0x41))),
    ),
};
