import { describe, expect, test } from 'bun:test';
import { ImageServerError } from '../errors.ts';
import { addImage, sha512, upload } from '../store/stores-fixture.ts';
import { withApp } from './app-fixture.ts';
import { listenPublic } from './public.ts';

const HASH = sha512('abc');

describe('the public listener', () => {
  test('small objects come out of memory as they came from their files, and not when they are gone', () =>
    withApp(async ({ deps, stores }) => {
      await upload(stores, 'abc');
      let opened = 0;
      let gone = false;
      const objects = new Proxy(stores.objects, {
        get(target, name) {
          if (name === 'open') opened++;
          if (gone && name === 'size') return () => 0;
          if (gone && name === 'open')
            return () => {
              throw new ImageServerError('OBJECT_NOT_FOUND', 'gone');
            };
          const value = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const listener = listenPublic({ ...deps, services: { ...deps.services, objects } }, '127.0.0.1', 0);
      const url = `http://127.0.0.1:${listener.port}/objects/${HASH}`;
      const get = async (init: RequestInit = {}) => {
        const headers = { 'x-request-id': 'same', ...init.headers };
        const response = await fetch(url, { ...init, headers });
        response.headers.delete('date');
        return { status: response.status, headers: [...response.headers], body: await response.text() };
      };
      try {
        const first = await get();
        expect(await get()).toEqual(first);
        expect(opened).toBe(1);
        expect(await get({ headers: { range: 'bytes=1-1' } })).toMatchObject({ status: 206, body: 'b' });
        expect(await get({ headers: { 'if-none-match': `"${HASH}"` } })).toMatchObject({ status: 304 });
        expect(opened).toBe(1);
        // Through the router: the same, but for the body.
        expect(await get({ method: 'HEAD' })).toEqual({ ...first, body: '' });
        gone = true;
        expect((await get()).status).toBe(404);
      } finally {
        await listener.close(1000);
      }
    }));

  test('reads without identity, whole and in part; nothing else', () =>
    withApp(
      async (app) => {
        await addImage(app.stores, 'img.0', ['abc', 'x'.repeat(300_000)]);
        const listener = listenPublic(app.deps, '127.0.0.1', 0);
        const url = `http://127.0.0.1:${listener.port}`;
        try {
          const object = await fetch(`${url}/objects/${HASH}`);
          expect([object.status, object.headers.get('content-length'), await object.text()]).toEqual([
            200,
            '3',
            'abc',
          ]);
          const part = await fetch(`${url}/objects/${HASH}`, { headers: { range: 'bytes=1-' } });
          expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
            206,
            'bytes 1-2/3',
            'bc',
          ]);
          const head = await fetch(`${url}/objects/${sha512('x'.repeat(300_000))}`, { method: 'HEAD' });
          expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000']);
          expect((await (await fetch(`${url}/images/img.0/files/file1`)).text()).length).toBe(300_000);
          expect((await fetch(`${url}/objects/${'0'.repeat(128)}`)).status).toBe(404);
          expect((await fetch(`${url}/healthz`)).status).toBe(200);
          const statuses: number[] = [];
          for (const [method, path] of [
            ['PUT', `/objects/${HASH}`],
            ['POST', '/rpc'],
            ['POST', '/rpc/ImageServer.ListImages'],
            ['DELETE', '/images/img.0'],
            ['PUT', '/directories/new'],
            ['GET', '/'],
            ['GET', '/swagger'],
          ] as const)
            statuses.push((await fetch(url + path, { method })).status);
          expect(statuses).toEqual([405, 404, 404, 401, 401, 404, 404]);
          expect(app.accesses.every(({ peer }) => peer === '127.0.0.1')).toBe(true);
          const rebound = await fetch(`${url}/images`, { headers: { host: 'evil.example' } });
          expect(rebound.status).toBe(421);
        } finally {
          await listener.close(1000);
        }
      },
      { insecure: false },
    ));
});
