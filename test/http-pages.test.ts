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
  '/showFiles?name=example.0',
  '/showDifferences?name=example.0&with=example.0',
  '/listTrash',
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

  test('an image is browsed down to a file, compared, deleted and found in the trash', async () => {
    const post = async (path: string, type: string, body: string) => {
      const response = await fetch(server.url + path, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      expect([200, 201]).toContain(response.status);
      return (await response.json()) as { Hash: string };
    };
    // Names that are markup, turn the direction around, or are no UTF-8.
    const names = ['<img src=x>', 'a\u202eb', '\udcff', 'x'.repeat(255), "&amp;'"];
    for (const [index, text] of ['first look\n', 'second look\n'].entries()) {
      const { Hash } = await post('/objects', 'application/octet-stream', text);
      const inode = { Kind: 'regular', Mode: 0o644, Size: text.length, Hash };
      const inodes = [
        { Kind: 'directory', Mode: 0o755, EntryList: [{ Name: 'file', InodeNumber: 1 }] },
        inode,
      ];
      const FileSystem = {
        InodeTable: Object.fromEntries(inodes.map((one, number) => [number, one])),
        EntryList: names.map((Name) => ({ Name, InodeNumber: 0 })),
      };
      await post(
        '/rpc/ImageServer.AddImage',
        'application/json',
        JSON.stringify({ ImageName: `browsed.${index}`, Image: { FileSystem } }),
      );
    }
    const { page, context, errors } = await visit(browser, `${server.url}/showImage?browsed.1`, VIEWS[2]);
    await page.getByRole('link', { name: 'Files', exact: true }).click();
    const shown = await page.locator('tbody td:first-child').allTextContents();
    expect(shown.map((text) => text.trim())).toEqual([
      '<img src=x>/',
      'a\\u202eb/',
      '\\xff/',
      `${'x'.repeat(255)}/`,
      "&amp;'/",
    ]);
    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(overflow)).toBe(0);
    for (const name of ['\\xff/', 'a\\u202eb/']) {
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('link', { name: 'file', exact: true }).click();
      await page.getByText('second look').waitFor();
      await page.getByRole('link', { name: 'Root' }).click();
    }
    await page.getByRole('link', { name: 'Summary' }).click();
    expect(await page.getByLabel('Compare with').inputValue()).toBe('browsed.0');
    await page.getByRole('button', { name: 'Show changes' }).click();
    await page.getByText('0 added, 0 removed, 5 changed').waitFor();
    expect(await page.locator('tbody tr').count()).toBe(5);
    await post('/rpc/ImageServer.DeleteImage', 'application/json', '{"ImageName":"browsed.0"}');
    await page.goto(`${server.url}/showImage?browsed.0`);
    await page.getByRole('link', { name: 'can be brought back' }).click();
    await page.getByRole('cell', { name: 'browsed.0' }).waitFor();
    expect(errors.filter((error) => !NOT_THERE.test(error))).toEqual([]);
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
