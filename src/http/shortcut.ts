/** The routes that are asked most, by health checks and by mass downloads: answered without the router. */
import { authorize } from './authorize.ts';
import type { HttpDeps } from './deps.ts';
import { answerHeaders, type Shortcut } from './entrance.ts';
import { alive } from './health.ts';
import { HASH_DIGITS, parseHash } from './objects/hash-parameter.ts';
import { serveObject } from './objects/serve-object.ts';
import type { SmallObjects } from './objects/small-objects.ts';

const OBJECTS = '/objects/';

/** `small`: objects kept in memory; none where there is no mass of requests. */
export function shortcut(deps: HttpDeps, small?: SmallObjects): Shortcut {
  const { objects } = deps.services;
  return (request, path, state) => {
    if (path === '/healthz') return alive(state);
    if (path.length !== OBJECTS.length + HASH_DIGITS || !path.startsWith(OBJECTS)) return undefined;
    authorize(deps, request, 'ObjectServer.GetObjects');
    const hash = parseHash(path.slice(OBJECTS.length));
    // What is not here may have been uploaded in part: the route tells.
    if (objects.size(hash) === 0) return undefined;
    return serveObject(request, objects, hash, { headers: answerHeaders(state), small });
  };
}
