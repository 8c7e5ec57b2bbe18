/**
 * GetImageUpdates as Server-Sent Events. Each event's data is one ImageUpdate as JSON; its id is a place in the history
 * of this run of the server, so that a listener that sends Last-Event-ID goes on where it was. If that is too long ago,
 * or was another run, everything is listed anew.
 */
import { randomBytes } from 'node:crypto';
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import { listedUpdates } from '../../methods/listed-updates.ts';
import type { Batch, Method } from '../../methods/method.ts';
import { streamTurns } from '../../shared-turns.ts';
import type { CatalogueEvent } from '../../store/types.ts';
import { toJson } from '../../wire/json.ts';
import { ImageUpdate, Operation } from '../../wire/messages/imageserver.ts';
import { methodNamed, openCall } from '../authorize.ts';
import type { HttpDeps } from '../deps.ts';
import { describe, headerParameter } from '../openapi/operation.ts';
import { HttpProblem } from '../problem.ts';
import { itemStream } from './item-stream.ts';
import { UpdateHistory } from './update-history.ts';

const KEEP_ALIVE_MS = 15_000;
const RETRY_MS = 2000;

const OPERATIONS = {
  add: Operation.AddImage,
  delete: Operation.DeleteImage,
  rmdir: Operation.DeleteDirectory,
} as const;

function updateOf(event: CatalogueEvent): ImageUpdate {
  return event.kind === 'mkdir'
    ? { Name: '', Directory: event.directory, Operation: Operation.MakeDirectory }
    : { Name: event.name, Directory: null, Operation: OPERATIONS[event.kind] };
}

function eventText(update: ImageUpdate, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}data: ${toJson(ImageUpdate, update)}\n\n`;
}

/** Batches of the list, and events, encoded: all listeners share them. */
const sharedBytes = new WeakMap<object, Uint8Array>();

/** Something that happened, with its place in the history. */
class Told {
  constructor(
    readonly event: CatalogueEvent,
    readonly id: string,
  ) {}
}

type Item = string | ImageUpdate | Told;

function textOf(item: Item): string {
  if (typeof item === 'string') return item;
  return item instanceof Told ? eventText(updateOf(item.event), item.id) : eventText(item);
}

/** Waits for the next change, at most until the next sign of life is due or the listener has gone. */
async function waitForChange(history: UpdateHistory, signal: AbortSignal): Promise<'changed' | 'quiet'> {
  const { promise, resolve } = Promise.withResolvers<'changed' | 'quiet'>();
  const quiet = () => resolve('quiet');
  const timer = setTimeout(quiet, KEEP_ALIVE_MS);
  signal.addEventListener('abort', quiet, { once: true });
  void history.changed().then(() => resolve('changed'));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', quiet);
  }
}

export function updateEvents(deps: HttpDeps) {
  const { services } = deps;
  const run = randomBytes(6).toString('hex');
  const history = new UpdateHistory(services.images);
  const idAt = (position: number) => `${run}-${position}`;
  /** One for each event, whoever listens. */
  const told = new WeakMap<CatalogueEvent, Told>();
  const toldOf = (event: CatalogueEvent, position: number): Told => {
    let known = told.get(event);
    if (!known) {
      known = new Told(event, idAt(position));
      told.set(event, known);
    }
    return known;
  };

  /** Position that a Last-Event-ID stands for, if everything since is still known. */
  const resumeAt = (lastId: string | null): number | undefined => {
    const match = /^([0-9a-f]{12})-(\d{1,15})$/.exec(lastId ?? '');
    const position = Number(match?.[2]);
    return match?.[1] === run && history.reaches(position) ? position : undefined;
  };

  /** Whole texts, updates without an id, and what happened. */
  async function* events(lastId: string | null, signal: AbortSignal): AsyncGenerator<Item | Batch<Item>> {
    await services.replicated(signal);
    yield `retry: ${RETRY_MS}\n\n`;
    let position = resumeAt(lastId);
    if (position === undefined) {
      await streamTurns.next();
      position = history.end;
      yield* await listedUpdates(services.images);
      yield eventText({ Name: '', Directory: null, Operation: Operation.AddImage }, idAt(position));
    }
    while (!signal.aborted) {
      // It comes back by itself and gets the whole list.
      if (!history.reaches(position)) throw new ImageServerError('UNAVAILABLE', 'listener is too far behind');
      const event = history.at(position);
      if (event) yield toldOf(event, ++position);
      else if ((await waitForChange(history, signal)) === 'quiet' && !signal.aborted)
        yield ': still here\n\n';
    }
  }

  return new Elysia({ name: 'update-events' }).get(
    '/rpc/ImageServer.GetImageUpdates',
    ({ request }) => {
      const accept = request.headers.get('accept') ?? '*/*';
      if (!/text\/event-stream|text\/\*|\*\/\*/i.test(accept))
        throw new HttpProblem('NOT_ACCEPTABLE', 'GET answers text/event-stream; POST answers NDJSON');
      const method: Method = methodNamed('ImageServer.GetImageUpdates');
      const gone = new AbortController();
      const signal = AbortSignal.any([request.signal, gone.signal]);
      const { finish } = openCall(deps, request, method, signal);
      services.activity.updateListeners++;
      const body = itemStream(events(request.headers.get('last-event-id'), signal), {
        encode: textOf,
        live: true,
        shared: sharedBytes,
        onCancel: () => gone.abort(),
        onEnd: (error) => {
          services.activity.updateListeners--;
          finish(error);
        },
      });
      return new Response(body, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
      });
    },
    {
      detail: describe({
        tag: 'ImageServer',
        operationId: 'ImageServer.GetImageUpdates.events',
        summary: 'All directories and images, then every change as it happens, as Server-Sent Events',
        description:
          'Each event carries one `ImageUpdate`. The initial list ends with an update of empty `Name` and `Operation` 0. Events carry ids; a listener that comes back with `Last-Event-ID` (browsers do so by themselves) gets what happened since, or the whole list if that is too long ago. The stream never ends, so try it with `curl -N`.',
        permission: ['ImageServer.GetImageUpdates'],
        parameters: [headerParameter('Last-Event-ID', 'Id of the last event received')],
        ok: {
          description: 'The stream',
          content: {
            'text/event-stream': {
              schema: { type: 'string' },
              example: 'id: 5f0c2a1b9d3e-42\ndata: {"Name":"base/img.0","Directory":null,"Operation":0}\n\n',
            },
          },
        },
        errors: ['NOT_ACCEPTABLE'],
      }),
    },
  );
}
