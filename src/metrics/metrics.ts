/** Everything the server tells a monitoring system, in the text form of Prometheus. */
import { Registry } from 'prom-client';
import { CallMetrics } from './calls.ts';
import { registerState, type StateSources } from './state.ts';

export interface Metrics {
  readonly calls: CallMetrics;
  readonly contentType: string;
  text(): Promise<string>;
}

/** The sources are asked at each look and not before. */
export function createMetrics(sources: StateSources): Metrics {
  const registry = new Registry();
  const calls = new CallMetrics(registry);
  registerState(registry, sources);
  return { calls, contentType: registry.contentType, text: () => registry.metrics() };
}
