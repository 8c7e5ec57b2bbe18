/** What all pages share: head, heading, navigation. Every text that is not ours goes through `safe`. */
import { Html } from '@elysiajs/html';

interface Frame {
  readonly title: string;
  /** Path of the page, to mark it in the navigation. */
  readonly path: string;
  readonly body: string;
}

const NAVIGATION = [
  ['/', 'Status'],
  ['/listImages', 'Images'],
  ['/listDirectories', 'Directories'],
  ['/swagger', 'API'],
] as const;

/** A whole HTML document. `body` is HTML already. */
export function frame({ title, path, body }: Frame): string {
  const document = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title safe>{title}</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/page.css" />
      </head>
      <body>
        <header>
          <a class="home" href="/">
            imageserver
          </a>
          <nav aria-label="Pages">
            {NAVIGATION.map(([href, text]) => (
              <a href={href} aria-current={href === path ? 'page' : undefined}>
                {text}
              </a>
            ))}
          </nav>
        </header>
        <main>{body as 'safe'}</main>
      </body>
    </html>
  );
  return `<!doctype html>\n${document}\n`;
}
