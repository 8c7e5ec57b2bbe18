/**
 * What is known about a request beside its text: who asks, over what, and its id. The front says so when it hands a
 * request in; on the native listener everybody is a stranger.
 */
import { randomBytes } from 'node:crypto';
import { type Identity, STRANGER } from '../access/identity.ts';

/** What the front knows of a connection. */
export interface RequestInfo {
  readonly identity: Identity;
  /** Address of the peer without port. */
  readonly peer: string;
  /** The request came over TLS. */
  readonly secure: boolean;
  /** Why the client certificate was refused. */
  readonly refused?: string;
}

export interface RequestState extends RequestInfo {
  readonly id: string;
  /** The client sent HEAD: handlers see GET, the body is dropped. */
  readonly head: boolean;
}

/** State of a request on the native listener, where the peer is asked for only if somebody wants to know. */
class StrangerState implements RequestState {
  readonly identity = STRANGER;
  readonly secure = false;
  constructor(
    readonly id: string,
    readonly head: boolean,
    readonly askPeer: () => string,
  ) {}
  get peer(): string {
    return this.askPeer();
  }
}

const told = new WeakMap<Request, RequestInfo>();
const states = new WeakMap<Request, RequestState>();

/** Notes what the front knows of a request before the application sees it. */
export function tellAbout(request: Request, info: RequestInfo): void {
  told.set(request, info);
}

const run = randomBytes(4).toString('hex');
let count = 0;

export function newRequestId(): string {
  return `${run}-${(++count).toString(36)}`;
}

const CLIENT_ID = /^[\w.-]{1,64}$/;

/** Begins the state of a request that has just come in. `peer` is only asked on the native listener. */
export function beginState(request: Request, peer: () => string): RequestState {
  const sent = request.headers.get('x-request-id');
  const id = sent !== null && CLIENT_ID.test(sent) ? sent : newRequestId();
  const head = request.method === 'HEAD';
  const info = told.get(request);
  if (!info) return new StrangerState(id, head, peer);
  return { ...info, id, head };
}

export function setState(request: Request, state: RequestState): void {
  states.set(request, state);
}

/** State of a request inside a handler. */
export function stateOf(request: Request): RequestState {
  const state = states.get(request);
  if (!state) throw new Error('a request came past the entrance');
  return state;
}
