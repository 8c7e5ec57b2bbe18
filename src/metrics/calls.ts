/** What calls and connections are counted by. Cheap enough for every call: labels are bound once per method. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { ErrorCode } from '../errors.ts';

/** One call that ended or was refused, as both transports report it. */
export interface CountedCall {
  readonly method: { readonly name: string };
  readonly decision: { readonly allowed: boolean };
  readonly error: { readonly code: ErrorCode } | undefined;
  readonly milliseconds: number;
}
export type Transport = 'srpc' | 'http';

/** Seconds: a small call takes tens of microseconds, an upload may take minutes. */
const BUCKETS = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

interface Series {
  observe(seconds: number): void;
}

export class CallMetrics {
  readonly #calls: Counter<'method' | 'transport' | 'outcome'>;
  readonly #seconds: Histogram<'method' | 'transport'>;
  readonly #requests: Counter<'status'>;
  /** Answers by the first digit of their status, not handed over yet. */
  readonly #answered = Array.from({ length: 10 }, () => 0);
  readonly #series = new Map<string, Series>();
  /** Successes are the rule: they are only added up here and handed over when somebody looks. */
  readonly #done = new Map<string, { method: string; transport: Transport; count: number }>();

  constructor(registry: Registry) {
    this.#calls = new Counter({
      name: 'imageserver_calls_total',
      help: 'Calls that ended or were refused, by method, transport and outcome (done, failed, denied)',
      labelNames: ['method', 'transport', 'outcome'],
      registers: [registry],
      collect: () => this.#handOver(),
    });
    this.#seconds = new Histogram({
      name: 'imageserver_call_duration_seconds',
      help: 'Time that calls took, those denied left out',
      labelNames: ['method', 'transport'],
      buckets: BUCKETS,
      registers: [registry],
    });
    this.#requests = new Counter({
      name: 'imageserver_http_requests_total',
      help: 'Answered HTTP requests, by the first digit of the status',
      labelNames: ['status'],
      registers: [registry],
      collect: () => this.#handOverRequests(),
    });
  }

  call(record: CountedCall, transport: Transport): void {
    const method = record.method.name;
    if (!record.decision.allowed) {
      this.#calls.inc({ method, transport, outcome: 'denied' });
      return;
    }
    const key = transport + method;
    if (record.error) this.#calls.inc({ method, transport, outcome: 'failed' });
    else {
      const known = this.#done.get(key);
      if (known) known.count++;
      else this.#done.set(key, { method, transport, count: 1 });
    }
    let series = this.#series.get(key);
    if (!series) {
      series = this.#seconds.labels({ method, transport });
      this.#series.set(key, series);
    }
    series.observe(record.milliseconds / 1000);
  }

  request(status: number): void {
    const digit = Math.floor(status / 100);
    this.#answered[digit] = (this.#answered[digit] ?? 0) + 1;
  }

  #handOverRequests(): void {
    for (const [digit, count] of this.#answered.entries())
      if (count > 0) this.#requests.inc({ status: `${digit}xx` }, count);
    this.#answered.fill(0);
  }

  #handOver(): void {
    for (const entry of this.#done.values()) {
      const { method, transport, count } = entry;
      if (count > 0) this.#calls.inc({ method, transport, outcome: 'done' }, count);
      entry.count = 0;
    }
  }
}
