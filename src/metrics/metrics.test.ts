import { describe, expect, test } from 'bun:test';
import { NO_REMOTE_LOG } from '../methods/remote-log-fixture.ts';
import type { Services } from '../methods/services.ts';
import { withPlace } from '../store/stores-fixture.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { StateSources } from './state.ts';

const CONNECTIONS = { open: 3, srpc: 2, http: 1, fresh: 0, accepted: 7, refused: 1, tlsFailures: 2 };

async function withMetrics(
  run: (metrics: Metrics, services: Services) => Promise<void>,
  more: Partial<Services> = {},
): Promise<void> {
  await withPlace(async (place) => {
    const stores = await place.open();
    await stores.ready;
    const services: Services = {
      images: stores.images,
      objects: stores.objects,
      groupExists: () => true,
      now: Date.now,
      log: () => undefined,
      remoteLog: NO_REMOTE_LOG,
      master: undefined,
      replicated: () => Promise.resolve(),
      activity: { getObjects: 4, updateListeners: 5 },
      ...more,
    };
    const sources: StateSources = {
      version: '1.2.3',
      startedAt: 5000,
      services,
      ready: () => true,
      descriptorLimit: 1024,
      damageCounts: () => stores.damageCounts(),
      scrub: () => stores.scrub.progress(),
      connections: () => CONNECTIONS,
      certificates: () => [
        {
          role: 'server',
          subject: 'a "name"',
          serial: '0a',
          notBefore: 0,
          notAfter: 86_400_000,
          daysLeft: 1,
          warning: true,
        },
      ],
    };
    await run(createMetrics(sources), services);
  });
}

const done = (method: string, milliseconds = 2) => ({
  method: { name: method },
  decision: { allowed: true },
  error: undefined,
  milliseconds,
});

describe('calls', () => {
  test('are counted by method, transport and outcome, and timed', async () => {
    await withMetrics(async (metrics) => {
      const { calls } = metrics;
      for (let i = 0; i < 3; i++) calls.call(done('ImageServer.CheckImage'), 'srpc');
      calls.call({ ...done('ImageServer.CheckImage'), error: { code: 'IMAGE_NOT_FOUND' } }, 'http');
      calls.call({ ...done('ImageServer.DeleteImage'), decision: { allowed: false } }, 'srpc');
      calls.request(404);
      // Looking does not count anything twice.
      await metrics.text();
      const text = await metrics.text();
      const call = (method: string, transport: string, outcome: string) =>
        `imageserver_calls_total{method="ImageServer.${method}",transport="${transport}",outcome="${outcome}"}`;
      expect(text).toContain(`${call('CheckImage', 'srpc', 'done')} 3\n`);
      expect(text).toContain(`${call('CheckImage', 'http', 'failed')} 1\n`);
      expect(text).toContain(`${call('DeleteImage', 'srpc', 'denied')} 1\n`);
      expect(text).toContain(
        'imageserver_call_duration_seconds_bucket{le="0.005",method="ImageServer.CheckImage",transport="srpc"} 3\n',
      );
      expect(text).toContain(
        'imageserver_call_duration_seconds_bucket{le="0.001",method="ImageServer.CheckImage",transport="srpc"} 0\n',
      );
      expect(text).not.toContain('_count{method="ImageServer.DeleteImage"');
      expect(text).toContain('imageserver_http_requests_total{status="4xx"} 1\n');
    });
  });
});

describe('state', () => {
  test('is read when it is looked at', async () => {
    await withMetrics(async (metrics, { images }) => {
      expect(await metrics.text()).toContain('imageserver_directories 1\n');
      await images.makeDirectory('d');
      const text = await metrics.text();
      expect(text).toContain('imageserver_directories 2\n');
      expect(text).toContain('imageserver_info{version="1.2.3"} 1\n');
      expect(text).toContain('imageserver_connections{kind="srpc"} 2\n');
      expect(text).toContain('imageserver_connections_accepted_total 7\n');
      expect(text).toContain('imageserver_replication_clients 5\n');
      expect(text).toContain('imageserver_maximum_file_descriptors 1024\n');
      expect(text).toContain(
        'imageserver_certificate_expiry_time_seconds{role="server",subject="a \\"name\\"",serial="0a"} 86400\n',
      );
      expect(text).toMatch(/imageserver_resident_memory_bytes [1-9]\d{6,}\n/);
      expect(text).not.toContain('imageserver_replication_lag_seconds');
    });
  });

  test('of a replica tells lag and alarms; what is not known is left out', async () => {
    const status = {
      state: 'live',
      master: 'm:6971',
      archive: false,
      connectedSince: 1,
      lastEvent: 1,
      lastReconciled: undefined,
      lagMs: 1500,
      queue: 2,
      failing: [{ name: 'x', reason: 'y', attempts: 1, since: 1, retryAt: 2 }],
      heldDeletions: [{ name: 'h', since: 1, reason: 'r' }],
      clockSkewMs: undefined,
      clockSkewWarning: false,
      lastError: undefined,
      lastErrorAt: undefined,
      receivedBytes: 77,
    } as const;
    const replication = {
      status: () => status,
      releaseDeletions: async () => [],
      reconcile: () => undefined,
    };
    await withMetrics(
      async (metrics) => {
        const text = await metrics.text();
        expect(text).toContain('imageserver_replication_connected 1\n');
        expect(text).toContain('imageserver_replication_lag_seconds 1.5\n');
        expect(text).toContain('imageserver_replication_failing_images 1\n');
        expect(text).toContain('imageserver_replication_held_deletions 1\n');
        expect(text).toContain('imageserver_replication_received_bytes_total 77\n');
        expect(text).not.toMatch(/^imageserver_replication_clock_skew_seconds \S/m);
      },
      { replication },
    );
  });
});
