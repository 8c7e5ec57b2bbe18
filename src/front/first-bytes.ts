/** The first bytes of a connection tell what it is. */
import type { AcceptedSocket } from './accepted-socket.ts';
import { type ConnectRequest, parseConnect, type Refusal } from './handshake.ts';

export type Beginning =
  /** TLS from the first byte. */
  | { readonly kind: 'tls'; readonly seen: Buffer }
  | { readonly kind: 'connect'; readonly seen: Buffer; readonly request: ConnectRequest | Refusal }
  | { readonly kind: 'http'; readonly seen: Buffer };

const TLS_HANDSHAKE = 0x16;
const CONNECT = Buffer.from('CONNECT ', 'latin1');

function classify(seen: Buffer, tlsPossible: boolean): Beginning | undefined {
  if (tlsPossible && seen[0] === TLS_HANDSHAKE) return { kind: 'tls', seen };
  const start = Math.min(seen.length, CONNECT.length);
  for (let index = 0; index < start; index++)
    if (seen[index] !== CONNECT[index]) return { kind: 'http', seen };
  if (start < CONNECT.length) return undefined;
  const request = parseConnect(seen);
  return request && { kind: 'connect', seen, request };
}

/**
 * Waits for enough bytes and calls back once, in the turn in which they came: whoever listens to the socket from then on
 * misses nothing. Not called if the peer goes before.
 */
export function onBeginning(
  socket: AcceptedSocket,
  tlsPossible: boolean,
  callback: (beginning: Beginning) => void,
): void {
  let seen: Buffer | undefined;
  const settle = () => {
    socket.off('data', onData);
    socket.off('end', onEnd);
  };
  const onEnd = () => {
    settle();
    socket.destroy();
  };
  const onData = (chunk: Buffer) => {
    seen = seen ? Buffer.concat([seen, chunk]) : chunk;
    const beginning = classify(seen, tlsPossible);
    if (!beginning) return;
    settle();
    callback(beginning);
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
}
