/**
 * The HTTP application: one plugin for each concern, behind one entrance. The front calls it through `createHandler`.
 */
import { Elysia } from 'elysia';
import { pages } from '../dashboard/pages.ts';
import { problemPage } from '../dashboard/problem-page.tsx';
import { assets } from './assets.ts';
import type { HttpDeps } from './deps.ts';
import { entrance } from './entrance.ts';
import { errors } from './errors.ts';
import { health } from './health.ts';
import { directories } from './images/directories.ts';
import { images } from './images/images.ts';
import { metrics } from './metrics.ts';
import { getObject } from './objects/get-object.ts';
import { manyObjects } from './objects/many-objects.ts';
import { putObject } from './objects/put-object.ts';
import { Uploads } from './objects/uploads.ts';
import { type RequestInfo, tellAbout } from './request-state.ts';
import { jsonRpc } from './rpc/json-rpc.ts';
import { methodRoutes } from './rpc/method-routes.ts';
import { rpcList } from './rpc/rpc-list.ts';
import { updateEvents } from './rpc/update-events.ts';
import { shortcut } from './shortcut.ts';
import { swagger } from './swagger.ts';

function isPage(path: string): boolean {
  return (
    path === '/' ||
    path === '/metrics' ||
    /^\/swagger(?:\/|$)/.test(path) ||
    path.startsWith('/assets/') ||
    /^\/(?:list|show)[A-Z]/.test(path)
  );
}

/** Everything that the document describes. */
function documentedRoutes(deps: HttpDeps): Elysia {
  const uploads = new Uploads();
  return new Elysia({ name: 'documented' })
    .use(jsonRpc(deps))
    .use(methodRoutes(deps))
    .use(updateEvents(deps))
    .use(manyObjects(deps))
    .use(getObject(deps, uploads))
    .use(putObject(deps, uploads))
    .use(images(deps))
    .use(directories(deps))
    .use(health(deps))
    .use(metrics(deps)) as unknown as Elysia;
}

/** The whole application. */
export function createApp(deps: HttpDeps): Elysia {
  const routes = documentedRoutes(deps);
  return new Elysia({ name: 'imageserver', systemRouter: false })
    .use(entrance(deps, { isPage, shortcut: shortcut(deps), page: problemPage }))
    .use(errors(deps, problemPage))
    .use(routes)
    .use(rpcList())
    .use(pages(deps))
    .use(assets())
    .use(swagger(deps, () => routes)) as unknown as Elysia;
}

/** The front's way in. */
export function createHandler(
  app: Elysia,
): (request: Request, info: RequestInfo) => Response | Promise<Response> {
  return (request, info) => {
    tellAbout(request, info);
    return app.fetch(request);
  };
}
