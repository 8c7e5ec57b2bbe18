/** What people see in a browser when something cannot be shown: the problem in words, and where to go from there. */
import { Html } from '@elysiajs/html';
import type { Problem } from '../http/problem.ts';
import { frame } from './frame.tsx';
import { visible } from './words.ts';

export function problemPage({ title, detail, status, code, requestId }: Problem): string {
  const body = (
    <>
      <h1 safe>{title}</h1>
      <p safe>{visible(detail)}</p>
      <p>
        <a href="/">Status</a>, <a href="/listImages">images</a>, <a href="/listDirectories">directories</a>{' '}
        and <a href="/swagger">everything that programs can ask for</a> are here.
      </p>
      <p class="faint" safe>{`${status} ${code}, request ${requestId}`}</p>
    </>
  );
  return frame({ title, path: '', body: body as string });
}
