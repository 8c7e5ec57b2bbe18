/** `/`: how the server is. The texts of the lines are those that people's scripts look for. */
import { Html } from '@elysiajs/html';
import type { HttpDeps } from '../http/deps.ts';
import { formatBytes } from '../image/format.ts';
import { damagesPart } from './damages.tsx';
import { frame } from './frame.tsx';
import { replicationPart } from './replication.tsx';
import { dateText, durationText, percentText, visibleLine } from './words.ts';

/** GetObjects calls at a time, as the original has it; ours does not make callers wait. */
const SLOTS = 100;

interface CpuView {
  readonly at: number;
  readonly usage: NodeJS.CpuUsage;
}

function cpuText(name: string, usage: NodeJS.CpuUsage, elapsedMs: number): string {
  const user = usage.user / 1000;
  const system = usage.system / 1000;
  const share = elapsedMs > 0 ? (100 * (user + system)) / elapsedMs : 0;
  return `${name} CPU Time: ${share.toFixed(1)}% (User: ${durationText(user)} Sys: ${durationText(system)})`;
}

const kib = (bytes: number) => `${Math.round(bytes / 1024)} KiB`;

/** Makes the page; remembers when it was last looked at, for the recent CPU time. */
export function statusPage(deps: HttpDeps): () => string {
  let last: CpuView = { at: deps.startedAt, usage: { user: 0, system: 0 } };
  return () => {
    const { images, objects, activity, master, replication } = deps.services;
    const now = deps.services.now();
    const usage = process.cpuUsage();
    const recent = { user: usage.user - last.usage.user, system: usage.system - last.usage.system };
    const facts = [
      `Start time: ${dateText(deps.startedAt)}`,
      `Uptime: ${durationText(now - deps.startedAt)}`,
      cpuText('Total', usage, now - deps.startedAt),
      cpuText('Recent', recent, now - last.at),
    ];
    last = { at: now, usage };
    const memory = process.memoryUsage();
    facts.push(`Allocated memory: ${kib(memory.heapUsed)}`, `System memory: ${kib(memory.rss)}`);
    const totals = objects.totals();
    const space = objects.space();
    const { ready, reasons } = deps.readiness();
    const directories = images.directories().length;
    const log = [...deps.logLines()];
    const body = (
      <>
        <h1>imageserver status page</h1>
        {deps.insecure ? (
          <p class="alarm" role="alert">
            Running in insecure mode. Your images can be pwned!!!
          </p>
        ) : (
          ''
        )}
        {ready ? (
          ''
        ) : (
          <p class="alarm" role="alert">
            Not ready
          </p>
        )}
        {reasons.map((reason) => (
          <p class="notice" safe>
            {reason}
          </p>
        ))}
        {damagesPart(deps.damages())}
        <section class="tiles" aria-label="Contents">
          <p class="tile">
            Number of <a href="/listImages?output=text">images</a>:{' '}
            <a class="figure" href="/listImages">
              {images.size}
            </a>
          </p>
          <p class="tile">
            Number of <a href="/listDirectories?output=text">directories</a>:{' '}
            <a class="figure" href="/listDirectories">
              {directories}
            </a>
          </p>
          <p class="tile">
            Number of objects: <span class="figure">{totals.objects}</span>
            <span
              class="detail"
              safe
            >{`, consuming ${formatBytes(totals.bytes)} (FS is ${percentText(space.capacity - space.free, space.capacity)} full), ${formatBytes(space.free)} free`}</span>
          </p>
          <p class="tile">
            Number of unreferenced objects: <span class="figure">{totals.unreferencedObjects}</span>
            <span
              class="detail"
              safe
            >{` (${percentText(totals.unreferencedObjects, totals.objects)}), consuming ${formatBytes(totals.unreferencedBytes)} (${percentText(totals.unreferencedBytes, totals.bytes)})`}</span>
          </p>
        </section>
        <section aria-label="Activity">
          {master ? <p safe>{`Replication master: ${master.address}`}</p> : ''}
          <p safe>{`Replication clients: ${activity.updateListeners}`}</p>
          <p>
            Deleted images that can be brought back: <a href="/listTrash">{images.trash().length}</a>
          </p>
          <p safe>{`GetObjects() RPC slots: ${activity.getObjects} out of ${SLOTS}`}</p>
          <p>
            <a href="/swagger">API</a>: try every call out in the browser
          </p>
        </section>
        {replication ? replicationPart(replication.status()) : ''}
        <ul class="facts" aria-label="Process">
          {facts.map((fact) => (
            <li safe>{fact}</li>
          ))}
        </ul>
        <h2 id="logs">Logs:</h2>
        {log.length === 0 ? (
          <p class="faint">Nothing was logged yet.</p>
        ) : (
          <div class="log" tabindex="0" role="log" aria-labelledby="logs">
            <pre safe>{log.map(visibleLine).join('\n')}</pre>
          </div>
        )}
        <footer safe>{`Page generated at: ${dateText(now)} with imageserver ${deps.version}`}</footer>
      </>
    );
    return frame({ title: 'imageserver status page', path: '/', body: body as string });
  };
}
