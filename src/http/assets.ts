/** Styles, scripts and the icon of the pages, from inside the executable, compressed once. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Elysia } from 'elysia';
import { select } from './conditional.ts';
import { EMBEDDED_FILES, type EmbeddedFile } from './embedded-files.ts';
import { acceptsGzip } from './reply.ts';

const gzipAsync = promisify(gzip);

interface Loaded {
  readonly plain: Uint8Array;
  readonly packed: Uint8Array;
  readonly tag: string;
}

async function load(file: EmbeddedFile): Promise<Loaded> {
  const plain = new Uint8Array(await Bun.file(file.location).arrayBuffer());
  const tag = createHash('sha256').update(plain).digest('base64url').slice(0, 24);
  return { plain, packed: await gzipAsync(plain), tag };
}

export function assets() {
  const app = new Elysia({ name: 'assets' });
  for (const [path, file] of Object.entries(EMBEDDED_FILES)) {
    let loaded: Promise<Loaded> | undefined;
    app.get(
      path,
      async ({ request }) => {
        loaded ??= load(file);
        const { plain, packed, tag } = await loaded;
        const zipped = acceptsGzip(request);
        const etag = zipped ? `"${tag}-gzip"` : `"${tag}"`;
        const headers: Record<string, string> = {
          etag,
          'cache-control': 'no-cache',
          vary: 'accept-encoding',
        };
        if (select(request.headers, etag, undefined).status === 304)
          return new Response(null, { status: 304, headers });
        const body = zipped ? packed : plain;
        if (zipped) headers['content-encoding'] = 'gzip';
        headers['content-type'] = file.type;
        headers['content-length'] = String(body.length);
        return new Response(body as Uint8Array<ArrayBuffer>, { headers });
      },
      { detail: { hide: true } },
    );
  }
  return app;
}
