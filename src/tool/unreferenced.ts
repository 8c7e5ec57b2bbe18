/** The server's list of objects that no image uses. */
import { ObjectEntry } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';

export async function unreferencedObjects(context: Context): Promise<ObjectEntry[]> {
  const channel = await (await context.client()).open('ImageServer.ListUnreferencedObjects');
  const entries: ObjectEntry[] = [];
  for (;;) {
    const entry = await channel.receive(ObjectEntry);
    if (!entry || entry.Size === 0n) break;
    entries.push(entry);
  }
  channel.end();
  return entries;
}
