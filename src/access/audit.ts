/**
 * The audit log: one JSON line for every denied and every mutating call and for every connection sent away, written after
 * the decision and with the outcome. Lines wait in a bounded queue for the disk; what cannot be written is counted and
 * reported, it never holds up a call.
 */
import type { ImageServerError } from '../errors.ts';
import type { Decision } from './decision.ts';
import type { Identity } from './identity.ts';

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

export interface AuditOptions {
  /** Appends whole lines; resolves when they are with the system. */
  readonly write: (lines: string) => Promise<void>;
  readonly log: (line: string) => void;
  readonly now?: () => number;
  /** Lines that may wait for the disk. */
  readonly maxWaiting?: number;
}

const MAX_WAITING = 10_000;
/** Names are shorter; what a hostile caller sends must not fill the disk. */
const MAX_TEXT = 1024;
/** Complaints about the audit log itself, milliseconds. */
const COMPLAINT_INTERVAL_MS = 60_000;

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);

/** Whether a call leaves a line. */
function isAudited(call: Pick<AuditedCall, 'method' | 'decision'>): boolean {
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
  readonly #options: AuditOptions;
  readonly #now: () => number;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #written = 0;
  #complained = Number.NEGATIVE_INFINITY;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Lines written and lost since the start. */
  counts(): { readonly written: number; readonly lost: number } {
    return { written: this.#written, lost: this.#lost };
  }

  /** Writes a line if the call is one that leaves one. Never throws. */
  call(call: AuditedCall): void {
    if (isAudited(call)) this.#add(callLine(call, this.#now()));
  }

  refusal({ transport, peer, reason, who }: AuditedRefusal): void {
    const time = new Date(this.#now()).toISOString();
    this.#add(
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
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #add(line: string): void {
    if (this.#waiting.length >= (this.#options.maxWaiting ?? MAX_WAITING)) {
      this.#lose(1, 'too many lines are waiting for the disk');
      return;
    }
    this.#waiting.push(line);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // Lines of one turn go out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#options.write(`${lines.join('\n')}\n`);
        this.#written += lines.length;
      } catch (error) {
        this.#lose(lines.length, (error as Error).message);
      }
    }
    this.#writing = undefined;
  }

  #lose(count: number, reason: string): void {
    this.#lost += count;
    const now = this.#now();
    if (now - this.#complained < COMPLAINT_INTERVAL_MS) return;
    this.#complained = now;
    this.#options.log(`AUDIT LOG: ${this.#lost} lines lost so far: ${reason}`);
  }
}
