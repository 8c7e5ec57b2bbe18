/**
 * Keeps other people's web pages out. A browser inside the network would carry its user's access (on an insecure server
 * simply its position, on a secure one the client certificate) to any page that asks, so: no request that another site
 * caused, no host name that is not ours (DNS rebinding), and no write that a plain form could send.
 */
import { isIP } from 'node:net';
import { HttpProblem } from './problem.ts';
import type { RequestState } from './request-state.ts';

/** Host without port and brackets, lower case. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d*$/, '')).toLowerCase();
}

/** The host that was looked at last, and what came of it: most requests come for the same one. */
let lastHost = '';
let lastNames: ReadonlySet<string> | undefined;
let lastVerdict = false;

function isOurName(host: string, hostNames: ReadonlySet<string>): boolean {
  if (host === lastHost && hostNames === lastNames) return lastVerdict;
  lastVerdict = looksLikeOurs(host, hostNames);
  lastHost = host;
  lastNames = hostNames;
  return lastVerdict;
}

function looksLikeOurs(host: string, hostNames: ReadonlySet<string>): boolean {
  const name = hostName(host).replace(/\.$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0 || hostNames.has(name);
}

const DEFAULT_PORT = { 'http:': '80', 'https:': '443' } as const;

/** True if `origin` (a browser's Origin header) is this very server as addressed by `host`. */
function isSameOrigin(origin: string, host: string, secure: boolean): boolean {
  const scheme = secure ? 'https:' : 'http:';
  try {
    const from = new URL(origin);
    const us = new URL(`${scheme}//${host}`);
    const port = (url: URL) => url.port || DEFAULT_PORT[scheme];
    return from.protocol === scheme && from.hostname === us.hostname && port(from) === port(us);
  } catch {
    return false;
  }
}

/** Health checks come from load balancers under any name and tell nothing. */
const isOpen = (path: string) => path === '/healthz' || path === '/readiness';

/**
 * Refuses requests caused by other sites: MISDIRECTED_REQUEST or CROSS_ORIGIN. `isPage` tells whether the path is a
 * page for people, which links elsewhere may lead to.
 */
export function checkBrowser(
  request: Request,
  state: RequestState,
  path: string,
  hostNames: ReadonlySet<string> | 'any',
  isPage: (path: string) => boolean,
): void {
  if (isOpen(path)) return;
  const { headers } = request;
  const host = headers.get('host');
  // Under TLS the certificate's name already defeats rebinding. Without a Host header there is no browser.
  if (!state.secure && host !== null && hostNames !== 'any' && !isOurName(host, hostNames))
    throw new HttpProblem(
      'MISDIRECTED_REQUEST',
      `this server is not called ${JSON.stringify(hostName(host).slice(0, 100))}; its names are set with -httpHostNames`,
    );
  const origin = headers.get('origin');
  if (origin !== null && !isSameOrigin(origin, host ?? '', state.secure))
    throw new HttpProblem('CROSS_ORIGIN', 'requests from other origins are refused');
  const site = headers.get('sec-fetch-site');
  if (site === null || site === 'same-origin' || site === 'none') return;
  const follows = headers.get('sec-fetch-mode') === 'navigate' && request.method === 'GET';
  if (!(follows && isPage(path)))
    throw new HttpProblem('CROSS_ORIGIN', 'requests caused by other sites are refused');
}

/**
 * Checks the media type of a request with a body. A type that plain forms can send (or none at all) is refused, so no
 * page elsewhere can write without a preflight, which is never granted. Returns the type without parameters.
 */
export function checkMediaType(request: Request, allowed: readonly string[]): string {
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (allowed.includes(type)) return type;
  throw new HttpProblem(
    'UNSUPPORTED_MEDIA_TYPE',
    `Content-Type must be ${allowed.join(' or ')}${type ? `, not ${type.slice(0, 100)}` : ''}`,
    { 'accept-post': allowed.join(', ') },
  );
}
