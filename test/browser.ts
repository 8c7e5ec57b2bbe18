/** Headless Chromium for tests of pages, if it is on the machine; such tests skip, visibly, without. */
import { describe } from 'bun:test';
import { existsSync } from 'node:fs';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const describeWithBrowser = existsSync(CHROMIUM) ? describe : describe.skip;

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Addresses on other hosts that the page asked for (and did not get). */
  readonly foreign: string[];
  /** Errors on the console, violations of the content policy among them. */
  readonly errors: string[];
}

/** A page whose network ends at the server: everything else is refused and noted. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext(options);
  const foreign: string[] = [];
  const errors: string[] = [];
  const { origin } = new URL(url);
  await context.route('**/*', (route) => {
    const asked = new URL(route.request().url());
    if (asked.origin === origin || asked.protocol === 'data:' || asked.protocol === 'blob:')
      return route.continue();
    foreign.push(asked.href);
    return route.abort();
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url, { waitUntil: 'networkidle' });
  return { page, context, foreign, errors };
}
