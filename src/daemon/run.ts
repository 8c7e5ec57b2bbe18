/** Puts the server together: stores, methods, the one port. Tests start it with port 0. */
import { isAudited } from '../access/audit.ts';
import { decide } from '../access/decision.ts';
import { listenFront } from '../front/front.ts';
import { createApp, createHandler } from '../http/app.ts';
import type { HttpDeps } from '../http/deps.ts';
import { createRefusal } from '../http/refused-request.ts';
import type { Method } from '../methods/method.ts';
import { replicationConcerns } from '../methods/replication-figures.ts';
import type { Services } from '../methods/services.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { serveSrpc } from '../srpc/server.ts';
import { beginStores } from '../store/open.ts';
import type { Stores } from '../store/types.ts';
import { VERSION } from '../version.ts';
import { affordableConnections, descriptorLimit } from './descriptors.ts';
import type { DaemonFlags } from './flags.ts';
import { groupExists } from './groups.ts';
import { openAccessLog, openPublic, ownHostNames } from './http.ts';
import { Log } from './log.ts';
import { protectedImages } from './protected-images.ts';
import { replicationOf } from './replication.ts';
import { openSecurity } from './security.ts';

export interface Daemon {
  readonly port: number;
  /** Resolves when every object and image is known; rejects if that cannot be, or when it is closed before. */
  readonly ready: Promise<void>;
  /** Reads certificates anew (SIGHUP). */
  reload(): void;
  /** Stops accepting, lets calls under way finish, closes the stores. */
  close(): Promise<void>;
}

const toMs = (nanos: bigint) => Number(nanos / 1_000_000n);

/** Starts everything; rejects with what stopped it. */
export async function startDaemon(flags: DaemonFlags): Promise<Daemon> {
  const log = new Log(flags);
  const startedAt = Date.now();
  const replication = replicationOf(flags);
  const isProtected = protectedImages(flags.protectedImages, log.write);
  const security = openSecurity(flags, log.write);
  const { tls, audit } = security;
  let stores: Stores;
  try {
    stores = beginStores({
      imageDirectory: flags.imageDir,
      objectDirectory: flags.objectDir,
      trashGraceMs: toMs(flags.trashGracePeriod),
      objectGraceMs: toMs(flags.objectGracePeriod),
      minFreeBytes: flags.minFreeBytes,
      startPercent: flags.objectServerCleanupStartPercent,
      stopPercent: flags.objectServerCleanupStopPercent,
      startSize: flags.objectServerCleanupStartSize,
      stopSize: flags.objectServerCleanupStopSize,
      maxUnreferencedBytes: flags.imageServerMaxUnrefData,
      maxUnreferencedAgeMs: toMs(flags.imageServerMaxUnrefAge),
      log: log.write,
    });
  } catch (error) {
    await security.close();
    throw error;
  }
  const replicator = replication?.({
    stores,
    log: log.write,
    connect: security.connectMaster,
  });
  const services: Services = {
    images: stores.images,
    objects: stores.objects,
    groupExists,
    now: Date.now,
    log: log.write,
    remoteLog: log,
    master: replicator?.injections,
    ...(isProtected ? { isProtected } : {}),
    // A list that lacks images not read yet would make replicas delete theirs.
    replicated: async (signal) => {
      await stores.ready;
      await replicator?.replicated(signal);
    },
    ...(replicator ? { replication: replicator } : {}),
    activity: { getObjects: 0, updateListeners: 0 },
  };
  const access = { allowUnauthenticatedReads: flags.allowUnauthenticatedReads };
  const mayCall: HttpDeps['decide'] = (identity, method: Method) => decide(identity, method, access);
  let opened = false;
  /** For a moment after the start: calls wait until the stores may be used. */
  const opening = () => (opened ? undefined : stores.opened);
  let ready = false;
  let stopping = false;
  const accessLog = openAccessLog(flags, log.write);
  const metrics = createMetrics({
    version: VERSION,
    startedAt,
    services,
    ready: () => ready,
    descriptorLimit: descriptorLimit(),
    damageCounts: () => stores.damageCounts(),
    scrub: () => stores.scrub.progress(),
    // Asked through the port, which comes last.
    connections: () => front.connections(),
    certificates: () => tls?.certificateStatus() ?? [],
  });
  const http: HttpDeps = {
    services,
    decide: mayCall,
    insecure: !tls,
    hostNames: ownHostNames(flags),
    opening,
    version: VERSION,
    readiness() {
      const status = replicator?.status();
      // A replica that has images serves them, whether its master is there or not.
      const empty = status !== undefined && status.lastReconciled === undefined && stores.images.size === 0;
      return {
        ready: ready && !empty,
        reasons: [
          ...(ready ? [] : ['the directories are being read']),
          ...(ready && empty ? ['nothing has come from the master yet'] : []),
          ...(status ? replicationConcerns(status) : []),
          ...(stores.objects.space().free < flags.minFreeBytes
            ? ['uploads are refused: less space than -minFreeBytes is free']
            : []),
          ...(tls?.warnings() ?? []),
        ],
      };
    },
    damages: () => stores.damages(),
    startedAt,
    logLines: () => log.lines(),
    metrics,
    onCall: (record) => {
      metrics.calls.call(record, 'http');
      if (!isAudited(record)) return;
      const { call, secure } = record;
      audit.call({ ...record, subject: call?.subject ?? '', transport: secure ? 'https' : 'http' });
    },
    onAccess: (record) => {
      metrics.calls.request(record.status);
      accessLog?.write(record);
    },
    onInternalError: (error, id) =>
      log.write(`request ${id} failed: ${String((error.cause as Error)?.stack ?? error)}`),
  };
  const app = createApp(http);
  const listener = openPublic(http, flags, log.write);
  const front = await listenFront({
    host: flags.listenAddress,
    port: flags.portNum,
    limits: {
      ...affordableConnections(
        { connections: flags.maximumConnections, connectionsPerPeer: flags.maximumConnectionsPerPeer },
        log.write,
      ),
      firstBytesMs: toMs(flags.firstBytesTimeout),
      tlsHandshakeMs: toMs(flags.tlsHandshakeTimeout),
      http: { stallMs: toMs(flags.stallTimeout) },
    },
    tls,
    onHttp: createHandler(app),
    onBadRequest: createRefusal(http),
    onSrpc: (connection) =>
      serveSrpc(connection.socket, {
        ...connection,
        services,
        opening,
        decide: mayCall,
        stallMs: toMs(flags.stallTimeout),
        methodLine: { maxBytes: flags.maximumMethodLine, timeoutMs: toMs(flags.methodLineTimeout) },
        onCall: (record) => {
          metrics.calls.call(record, 'srpc');
          if (!isAudited(record)) return;
          const transport = connection.plain ? 'srpc' : 'srpc+tls';
          audit.call({ ...record, subject: record.call?.subject ?? '', transport });
        },
        log: log.write,
      }),
    onRefused: (refused) => audit.refusal(refused),
    log: log.write,
  }).catch(async (error) => {
    await listener?.close(0);
    await stores.close();
    await security.close();
    throw error;
  });
  log.write(
    `imageserver ${VERSION} listening on port ${front.port}${tls ? '' : ', insecure: every caller may do everything'}`,
  );
  const known = stores.opened.then(() => {
    opened = true;
    return stores.ready;
  });
  return {
    port: front.port,
    ready: known.then(() => {
      if (stopping) return;
      ready = true;
      replicator?.start();
      log.write(
        `Ready: ${services.images.size} images, ${services.objects.totals().objects} objects in ${Date.now() - startedAt} ms`,
      );
    }),
    reload: () => void tls?.reload(),
    async close() {
      log.write('Stopping');
      stopping = true;
      stores.stopReading();
      await replicator?.stop();
      await Promise.all([
        front.close(toMs(flags.shutdownTimeout)),
        listener?.close(toMs(flags.shutdownTimeout)),
      ]);
      await accessLog?.close();
      await stores.close();
      await security.close();
      await log.close();
    },
  };
}
