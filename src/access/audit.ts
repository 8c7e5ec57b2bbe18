/**
 * The audit log: one JSON line for every denied and every mutating call and for every connection sent away, written after
 * the decision and with the outcome.
 */
import type { ImageServerError } from '../errors.ts';
import type { Decision } from './decision.ts';
import type { Identity } from './identity.ts';
import { LineQueue, type LineQueueOptions } from './line-queue.ts';

type Transport = 'srpc' | 'srpc+tls' | 'http' | 'https';

/** A call that ended or was refused. */
export interface AuditedCall {
  readonly transport: Transport;
  readonly peer: string;
  readonly identity: Identity;
  readonly method: { readonly name: string; readonly mutates: boolean };
  readonly decision: Decision;
  /** Image, directory or object that the call was about. */
  readonly subject: string;
  readonly error: ImageServerError | undefined;
  readonly milliseconds: number;
}

/** A connection that was sent away before it could call anything. */
export interface AuditedRefusal {
  readonly transport: Transport;
  readonly peer: string;
  readonly reason: string;
  /** What the certificate calls itself. */
  readonly who: string;
}

export type AuditOptions = Omit<LineQueueOptions, 'name'>;

/** Names are shorter; what a hostile caller sends must not fill the disk. */
const MAX_TEXT = 1024;

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);

/** Whether a call leaves a line: most do not, and should cost nothing. */
export function isAudited(call: Pick<AuditedCall, 'method' | 'decision'>): boolean {
  return call.method.mutates || !call.decision.allowed;
}

function callLine(call: AuditedCall, time: number): string {
  const { identity, decision, error } = call;
  return JSON.stringify({
    time: new Date(time).toISOString(),
    peer: call.peer,
    user: identity.user,
    ...(identity.certificate ?? {}),
    transport: call.transport,
    method: call.method.name,
    subject: cut(call.subject),
    outcome: !decision.allowed ? 'denied' : error ? 'failed' : 'done',
    access: !decision.allowed ? 'none' : decision.methodAccess ? 'method' : 'owner',
    reason: cut(error ? `${error.code}: ${error.message}` : decision.reason),
    milliseconds: Math.round(call.milliseconds * 1000) / 1000,
  });
}

export class AuditLog {
  readonly #lines: LineQueue;
  readonly #now: () => number;

  constructor(options: AuditOptions) {
    this.#lines = new LineQueue({ ...options, name: 'AUDIT LOG' });
    this.#now = options.now ?? Date.now;
  }

  /** Lines written and lost since the start. */
  counts(): { readonly written: number; readonly lost: number } {
    return this.#lines.counts();
  }

  /** Writes a line if the call is one that leaves one. Never throws. */
  call(call: AuditedCall): void {
    if (isAudited(call)) this.#lines.add(callLine(call, this.#now()));
  }

  refusal({ transport, peer, reason, who }: AuditedRefusal): void {
    const time = new Date(this.#now()).toISOString();
    this.#lines.add(
      JSON.stringify({
        time,
        peer,
        user: '',
        transport,
        outcome: 'refused',
        reason: cut(reason),
        who: cut(who),
      }),
    );
  }

  /** Resolves when everything said so far was written or lost. */
  flush(): Promise<void> {
    return this.#lines.flush();
  }
}
