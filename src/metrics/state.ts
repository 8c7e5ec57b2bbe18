/** Metrics of how the server is: read from their sources when somebody looks, nothing is kept up to date between. */
import { readdirSync } from 'node:fs';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { CertificateStatus } from '../access/certificate-status.ts';
import type { FrontStatistics } from '../front/front-options.ts';
import { type ReplicationFigures, replicationFigures } from '../methods/replication-figures.ts';
import type { ReplicationControl, Services } from '../methods/services.ts';
import type { Damage, ScrubProgress } from '../store/types.ts';

export interface StateSources {
  readonly version: string;
  readonly startedAt: number;
  readonly services: Services;
  readonly ready: () => boolean;
  /** Undefined if the system does not say. */
  readonly descriptorLimit: number | undefined;
  /** Things set aside since the start, by kind. */
  readonly damageCounts: () => Readonly<Record<Damage['kind'], number>>;
  readonly scrub: () => ScrubProgress;
  readonly connections: () => FrontStatistics;
  /** Empty without TLS. */
  readonly certificates: () => readonly CertificateStatus[];
}

type Values = Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

/** Registers what is asked for at each look. */
class Readings {
  constructor(readonly registry: Registry) {}

  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, [], () => [[{}, read()]]);
  }
  /** NaN is left out. */
  gauges(name: string, help: string, labelNames: readonly string[], read: () => Values): void {
    const gauge = new Gauge({
      name: `imageserver_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        gauge.reset();
        // Without labels a reset leaves a 0, which would be said of what is not known.
        if (labelNames.length === 0) gauge.remove();
        for (const [labels, value] of read()) if (!Number.isNaN(value)) gauge.set(labels, value);
      },
    });
  }
  /** For what is counted elsewhere and only grows. */
  counters(name: string, help: string, labelNames: readonly string[], read: () => Values): void {
    const counter = new Counter({
      name: `imageserver_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        counter.reset();
        for (const [labels, value] of read()) counter.inc(labels, value);
      },
    });
  }
  counter(name: string, help: string, read: () => number): void {
    this.counters(name, help, [], () => [[{}, read()]]);
  }
}

export function registerState(registry: Registry, sources: StateSources): void {
  const to = new Readings(registry);
  registerProcess(to, sources);
  registerStores(to, sources);
  registerPort(to, sources);
  const { replication } = sources.services;
  if (replication) registerReplica(to, replication);
}

function registerProcess(to: Readings, { version, startedAt, ready, descriptorLimit }: StateSources): void {
  to.gauges('info', 'Always 1; the label tells the version', ['version'], () => [[{ version }, 1]]);
  to.gauge('start_time_seconds', 'Start of the server, seconds since the epoch', () => startedAt / 1000);
  to.gauge('ready', '1 when every image and object is known', () => Number(ready()));
  to.counters('cpu_seconds_total', 'CPU time used by the process', ['mode'], () => {
    const { user, system } = process.cpuUsage();
    return [
      [{ mode: 'user' }, user / 1e6],
      [{ mode: 'system' }, system / 1e6],
    ];
  });
  to.gauge('resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss());
  to.gauge('open_file_descriptors', 'Open descriptors of the process', openDescriptors);
  to.gauge('maximum_file_descriptors', 'Limit of open descriptors', () => descriptorLimit ?? Number.NaN);
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return Number.NaN;
  }
}
function registerStores(to: Readings, { services, damageCounts, scrub }: StateSources): void {
  const { images, objects } = services;
  to.gauge('images', 'Images', () => images.size);
  to.gauge('directories', 'Image directories, the root included', () => images.directories().length);
  to.gauge('trash_images', 'Deleted images that can still be brought back', () => images.trash().length);
  to.gauge('objects', 'Objects', () => objects.totals().objects);
  to.gauge('object_bytes', 'Bytes of all objects', () => objects.totals().bytes);
  to.gauge('unreferenced_objects', 'Objects that no image uses', () => objects.totals().unreferencedObjects);
  to.gauge(
    'unreferenced_object_bytes',
    'Bytes of objects that no image uses',
    () => objects.totals().unreferencedBytes,
  );
  to.gauge(
    'missing_objects',
    'Objects that images refer to and that are not here',
    () => objects.totals().missingObjects,
  );
  to.gauge('object_space_bytes', 'Size of the file system of the objects', () => objects.space().capacity);
  to.gauge(
    'object_space_free_bytes',
    'Free bytes on the file system of the objects',
    () => objects.space().free,
  );
  to.gauges('damages', 'Things found damaged since the start, by kind', ['kind'], () =>
    Object.entries(damageCounts()).map(([kind, count]) => [{ kind }, count] as const),
  );
  to.gauge('scrub_failures', 'Objects that failed in the current or last scrub', () => scrub().failures);
  to.gauge(
    'scrub_completed_time_seconds',
    'End of the last complete scrub, seconds since the epoch; 0 = never',
    () => scrub().lastCompletedAt / 1000,
  );
}

function registerPort(to: Readings, { services, connections, certificates }: StateSources): void {
  to.gauges('connections', 'Open connections by what they turned out to be', ['kind'], () => {
    const { srpc, http, fresh } = connections();
    return [
      [{ kind: 'srpc' }, srpc],
      [{ kind: 'http' }, http],
      [{ kind: 'fresh' }, fresh],
    ];
  });
  to.counter('connections_accepted_total', 'Connections accepted', () => connections().accepted);
  to.counter(
    'connections_refused_total',
    'Connections turned away because there were too many',
    () => connections().refused,
  );
  to.counter('tls_handshake_failures_total', 'TLS handshakes that failed', () => connections().tlsFailures);
  to.gauge('getobjects_calls', 'GetObjects calls in progress', () => services.activity.getObjects);
  to.gauge('replication_clients', 'Listeners on GetImageUpdates', () => services.activity.updateListeners);
  to.gauges(
    'certificate_expiry_time_seconds',
    'End of validity of certificates in use, seconds since the epoch',
    ['role', 'subject', 'serial'],
    () =>
      certificates().map(
        ({ role, subject, serial, notAfter }) => [{ role, subject, serial }, notAfter / 1000] as const,
      ),
  );
}

function registerReplica(to: Readings, replication: ReplicationControl): void {
  const gauge = (name: string, help: string, of: (figures: ReplicationFigures) => number | undefined) =>
    to.gauge(`replication_${name}`, help, () => of(replicationFigures(replication.status())) ?? Number.NaN);
  gauge('connected', '1 while the replication master is connected', ({ connected }) => connected);
  gauge(
    'lag_seconds',
    'How long the oldest change waits, or how long the master has been away',
    ({ lagSeconds }) => lagSeconds,
  );
  gauge('queue', 'Images waiting or being worked on', ({ queuedImages }) => queuedImages);
  gauge('failing_images', 'Images that could not be replicated so far', ({ failedImages }) => failedImages);
  gauge(
    'held_deletions',
    'Deletions held back until somebody decides; more than 0 is an alarm',
    ({ heldDeletions }) => heldDeletions,
  );
  gauge(
    'reconciled_time_seconds',
    'When everything was last compared with the master, seconds since the epoch',
    ({ lastReconciledSeconds }) => lastReconciledSeconds || undefined,
  );
  gauge('clock_skew_seconds', "The master's clock minus ours", ({ skewSeconds }) => skewSeconds);
  to.counter(
    'replication_received_bytes_total',
    'Bytes of objects received from the master',
    () => replicationFigures(replication.status()).receivedBytes,
  );
}
