/** The pages in a browser whose network ends at the server. With SCREENSHOTS=directory, pictures of them to look at. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { addAndFetch } from '../client/example.ts';
import { describeWithBrowser, openBrowser, visit } from './browser.ts';
import { startServer, type TestServer } from './server.ts';

const SCREENSHOTS = process.env.SCREENSHOTS;
const PAGES = [
  '/',
  '/listImages',
  '/listDirectories',
  '/showImage?example.0',
  '/listImage?example.0',
  '/swagger',
];
/** Looked at only wide and light, and narrow and dark. */
const MORE_PAGES = [
  '/listPackages?example.0',
  '/listImages?name=nothing%22%3E%3Cb%3E',
  '/nothing',
  '/showImage?none',
];
/** What the browser itself says of a page that was answered with 404. */
const NOT_THERE = /Failed to load resource: the server responded with a status of 404/;
const VIEWS = [
  { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { colorScheme: 'light', viewport: { width: 390, height: 844 } },
  { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
] as const;

describeWithBrowser('pages in a browser', () => {
  let server: TestServer;
  let browser: Browser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer({ args: ['-shutdownTimeout=1s'] }), openBrowser()]);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  }, 60_000);

  test('swagger: a method is opened, tried out, and its reply shown', async () => {
    const { page, context, foreign, errors } = await visit(browser, `${server.url}/swagger`);
    await page.waitForSelector('.opblock');
    const shown = await page.locator('.opblock').count();
    expect(shown).toBeGreaterThan(40);
    const tryOut = async (path: string, method = 'post') => {
      const block = page
        .locator(`.opblock-${method}`)
        .filter({ has: page.locator(`.opblock-summary-path[data-path="${path}"]`) });
      await block.locator('.opblock-summary-control').click();
      await block.locator('.try-out__btn').click();
      await block.locator('.execute').click();
      const live = block.locator('.live-responses-table');
      await live.waitFor();
      const status = await live.locator('tbody .response-col_status').first().textContent();
      const body = await live.locator('tbody .response-col_description').first().textContent();
      return { status: status?.trim(), body: body ?? '' };
    };
    // The examples of the document tell a story of their own.
    expect(await tryOut('/rpc/ImageServer.AddImage')).toMatchObject({ status: '200' });
    const image = await tryOut('/rpc/ImageServer.GetImage');
    expect(image.status).toBe('200');
    expect(image.body).toContain('"Kind": "symlink"');
    const again = await tryOut('/rpc/ImageServer.AddImageTrusted');
    expect(again.status).toBe('200');
    expect((await tryOut('/rpc')).body).toContain('"DirectoryExists": true');
    expect((await tryOut('/images', 'get')).body).toContain('"example.0"');
    expect((await tryOut('/rpc/ImageServer.UndeleteImage')).body).toContain('"code"');
    expect(foreign).toEqual([]);
    expect(errors.filter((error) => !error.includes('the server responded with a status of 4'))).toEqual([]);
    if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, 'swagger-tried.png'), fullPage: true });
    await context.close();
  }, 120_000);

  for (const [index, view] of VIEWS.entries())
    for (const path of index === 0 || index === 3 ? [...PAGES, ...MORE_PAGES] : PAGES) {
      const width = view.viewport.width;
      test(`${path}, ${view.colorScheme}, ${width} wide`, async () => {
        const { page, context, foreign, errors } = await visit(browser, `${server.url}${path}`, view);
        if (path === '/swagger') await page.waitForSelector('.opblock');
        const ours = errors.filter((error) => !NOT_THERE.test(error) || !/nothing$|none$/.test(path));
        expect({ foreign, errors: ours }).toEqual({ foreign: [], errors: [] });
        expect(await page.locator('header nav a').count()).toBe(4);
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect(overflow).toBe(0);
        const name = path.replace(/\W+/g, '-');
        if (SCREENSHOTS)
          await page.screenshot({ path: join(SCREENSHOTS, `page${name}-${view.colorScheme}-${width}.png`) });
        await context.close();
      }, 60_000);
    }

  test('the status page links to the API and the lists', async () => {
    const { page, context } = await visit(browser, `${server.url}/`);
    for (const href of ['/swagger', '/listImages', '/listDirectories'])
      expect(await page.locator(`main a[href="${href}"]`).count()).toBeGreaterThan(0);
    await context.close();
  }, 60_000);

  test('images are found by a part of the name', async () => {
    await addAndFetch(server.url, 'to-find.0');
    await addAndFetch(server.url, 'other.0');
    const { page, context } = await visit(browser, `${server.url}/listImages`);
    await page.getByLabel('Part of the name').fill('find');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.waitForURL('**/listImages?name=find');
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.getByLabel('Part of the name').fill('<b>nothing');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('0 images with "<b>nothing" in their names').waitFor();
    await context.close();
  }, 60_000);

  test('another site cannot read or write', async () => {
    const other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () =>
        new Response('<!doctype html><title>evil</title>', { headers: { 'content-type': 'text/html' } }),
    });
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://localhost:${other.port}/`);
    const outcomes = await page.evaluate(async (url) => {
      const attempt = async (path: string, init?: object) => {
        try {
          const response = await fetch(url + path, init);
          return `${response.type} ${response.status}`;
        } catch {
          return 'refused';
        }
      };
      return [
        await attempt('/images'),
        await attempt('/rpc', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        }),
        await attempt('/rpc/ImageServer.DeleteImage', {
          method: 'POST',
          mode: 'no-cors',
          body: '{"ImageName":"example.0"}',
        }),
      ];
    }, server.url);
    expect(outcomes.slice(0, 2)).toEqual(['refused', 'refused']);
    expect(await (await fetch(`${server.url}/listImages?output=text`)).text()).toContain('example.0');
    await context.close();
    other.stop(true);
  }, 60_000);
});
