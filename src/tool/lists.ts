/** Lists that the server streams. */
import { compareVersions } from '../image/version-order.ts';
import { Directory } from '../wire/messages/image.ts';
import { ObjectEntry } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';

/** Names of all images, in version order. */
export async function imageNames(context: Context): Promise<string[]> {
  const channel = await (await context.client()).open('ImageServer.ListImages');
  const names: string[] = [];
  for (let name = await channel.readLine(); name !== ''; name = await channel.readLine()) names.push(name);
  channel.end();
  return names.sort(compareVersions);
}

/** All image directories, in version order. */
export async function imageDirectories(context: Context): Promise<Directory[]> {
  const channel = await (await context.client()).open('ImageServer.ListDirectories');
  const directories: Directory[] = [];
  for (;;) {
    const directory = await channel.receive(Directory);
    if (!directory || directory.Name === '') break;
    directories.push(directory);
  }
  channel.end();
  return directories.sort((a, b) => compareVersions(a.Name, b.Name));
}

/** Objects that no image uses, as the server orders them: ours lists the oldest first. */
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
