/** GET /_goSRPC_/listMethods: the names of all methods, as the original lists them. */
import { Elysia } from 'elysia';
import { methods } from '../../methods/table.ts';
import { textReply } from '../reply.ts';

export function rpcList() {
  const text = [...methods.keys()].map((name) => `${name}\n`).join('');
  return new Elysia({ name: 'rpc-list' }).get(
    '/_goSRPC_/listMethods',
    ({ request }) => textReply(request, text),
    {
      detail: { hide: true },
    },
  );
}
