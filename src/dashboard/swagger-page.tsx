/** /swagger: the API, shown and tried out. All its parts come from this server. */
import { Html } from '@elysiajs/html';

export function swaggerPage(): string {
  const document = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>imageserver API</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/swagger-ui.css" />
        <link rel="stylesheet" href="/assets/page.css" />
        <link rel="stylesheet" href="/assets/swagger-page.css" />
      </head>
      <body class="api">
        <header>
          <a class="home" href="/">
            imageserver
          </a>
          <nav aria-label="Pages">
            <a href="/">Status</a>
            <a href="/listImages">Images</a>
            <a href="/listDirectories">Directories</a>
            <a href="/swagger" aria-current="page">
              API
            </a>
          </nav>
        </header>
        <div id="swagger-ui" />
        <script src="/assets/swagger-ui-bundle.js" />
        <script src="/assets/swagger-page.js" />
      </body>
    </html>
  );
  return `<!doctype html>\n${document}\n`;
}
