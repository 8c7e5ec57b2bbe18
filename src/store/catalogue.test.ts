import { expect, test } from 'bun:test';
import { timeFromMillis } from '../wire/time.ts';
import { Catalogue } from './catalogue.ts';
import type { ImageRecord } from './image-record.ts';

test('the list of directories stays in order through changes, and one that is being read does not change', () => {
  const catalogue = new Catalogue(() => undefined);
  const names = () => catalogue.directories().map(({ Name, Metadata }) => `${Name} ${Metadata.OwnerGroup}`);
  catalogue.putDirectory('.', '');
  for (const name of ['v10', 'v9', 'v9/b']) catalogue.putDirectory(name, 'group');
  expect(names()).toEqual(['. ', 'v9 group', 'v9/b group', 'v10 group']);
  const read = catalogue.directories();
  expect(catalogue.directories()).toBe(read);
  for (const name of ['v9/a', 'v09', 'a']) catalogue.putDirectory(name, '');
  catalogue.putDirectory('v9', 'other');
  expect(names()).toEqual(['. ', 'a ', 'v09 ', 'v9 other', 'v9/a ', 'v9/b group', 'v10 group']);
  for (const name of ['v9/b', 'v09', 'a']) catalogue.removeDirectory(name);
  expect(names()).toEqual(['. ', 'v9 other', 'v9/a ', 'v10 group']);
  expect(read.length).toBe(4);
});

test('images of the same instant whose names differ in leading zeros are told apart', () => {
  const catalogue = new Catalogue(() => undefined);
  catalogue.putDirectory('.', '');
  const createdOn = timeFromMillis(1e12);
  for (const name of ['v1', 'v01', 'v001'])
    catalogue.put({ entry: { name, createdOn } } as unknown as ImageRecord);
  catalogue.remove('v01');
  expect(Array.from(catalogue.newestIn('.'), ({ name }) => name).sort()).toEqual(['v001', 'v1']);
});
