/**
 * The OpenAPI document of the application, assembled by the swagger plugin from what the routes say of themselves.
 * Routes with names that contain slashes share wildcard routes and are described apart.
 */
import { swagger } from '@elysiajs/swagger';
import { Elysia } from 'elysia';
import type { HttpDeps } from '../deps.ts';
import { IMAGE_PATHS } from '../images/description.ts';
import { ADDITIONAL_COMPONENTS, DOCUMENTED_MESSAGES } from './components.ts';
import { messageComponents, messageSchema } from './schemas.ts';

const DESCRIPTION = `
Machine images for fleets: every RPC method as JSON over HTTP, and images and objects as plain resources.

* Field names are those of the RPC protocol. Hashes are lower-case hexadecimal SHA-512, times RFC 3339 with up to nine
  digits of the second, 64-bit numbers are written with all their digits (read them as big integers), inodes carry their
  \`Kind\`. Unknown fields are refused by name.
* Errors are problem documents (RFC 9457) whose \`code\` is stable.
* On a server with TLS the caller is who the client certificate says; each operation names the permission it needs.
* Names with slashes may be written as they are or percent-encoded (\`%2F\`).
`.trim();

/** The document as JSON text. `routes` is an application that has all documented routes. */
export async function openApiDocument(deps: Pick<HttpDeps, 'version'>, routes: Elysia): Promise<string> {
  for (const message of DOCUMENTED_MESSAGES) messageSchema(message);
  const assembled = new Elysia().use(routes).use(
    swagger({
      path: '/document',
      specPath: '/document/json',
      excludeStaticFile: false,
      exclude: [/^\/document/],
      documentation: {
        info: { title: 'imageserver', version: deps.version, description: DESCRIPTION },
        tags: [
          { name: 'JSON RPC', description: 'Any method by JSON RPC 2.0' },
          { name: 'ImageServer', description: 'The methods of the image server' },
          { name: 'Logger', description: "The server's log" },
          { name: 'ObjectServer', description: 'The methods of the object server' },
          { name: 'Objects', description: 'Contents of files by their SHA-512' },
          { name: 'Images', description: 'Images as resources' },
          { name: 'Directories', description: 'Image directories as resources' },
          { name: 'Health', description: 'For load balancers and service managers' },
        ],
        // The plugin merges these into what it finds.
        components: { schemas: { ...messageComponents(), ...ADDITIONAL_COMPONENTS } as never },
        paths: IMAGE_PATHS as never,
      },
    }),
  );
  const response = await assembled.handle(new Request('http://imageserver/document/json'));
  const document = (await response.json()) as { servers?: unknown };
  document.servers = [{ url: '/', description: 'This server' }];
  return JSON.stringify(document);
}
