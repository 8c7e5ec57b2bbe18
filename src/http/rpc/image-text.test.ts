import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fromJson, toJson } from '../../wire/json.ts';
import { AddImageRequest } from '../../wire/messages/imageserver.ts';
import { decodeImageText } from './image-text.ts';

const entry = (number: bigint | number) =>
  `"${number}":{"Kind":"regular","Mode":33188,"Uid":0,"Gid":0,"MtimeSeconds":-9223372036854775808,"MtimeNanoSeconds":1,"Size":18446744073709551615,"Hash":"${'ab'.repeat(64)}"}`;
const request = (entries: string) =>
  `{"ImageName":"a\\"}","Image":{"Tags":{"InodeTable":"{"},"FileSystem":{"Mode":16877,"InodeTable":{${entries}},"EntryList":[{"Name":"{\\\\","InodeNumber":1}]},"CreatedBy":"x"}}`;

describe('long AddImage requests in slices', () => {
  for (const [name, text] of [
    ['a table', request([entry(1), entry(18446744073709551615n)].join(', '))],
    ['an empty table', request('')],
    [
      'white space',
      request(` ${entry(1)} `)
        .replaceAll(',', ' ,\n ')
        .replaceAll('{"', '{ "'),
    ],
    ['no table', '{"Image":{"FileSystem":{"InodeTable":null}}}'],
    ['no tree', '{"ImageName":"x","Image":{"FileSystem":null}}'],
    ['no image', '{"ImageName":"x","Image":null}'],
    ['nothing', ' {} '],
    ['the way elsewhere', '{"ImageName":"x","Image":{"SourceImage":"InodeTable"}}'],
  ] as const)
    test(`${name} is what it is at once`, async () => {
      expect(await decodeImageText(text)).toEqual(fromJson(AddImageRequest, text) as never);
    });

  test('what is wrong is named', async () => {
    const bad: [string, string][] = [
      [request('"x":{}'), 'Image.FileSystem.InodeTable.x'],
      [request('"18446744073709551616":{"Kind":"symlink"}'), 'InodeTable.18446744073709551616'],
      [request('"7":{"Kind":"odd"}'), 'Image.FileSystem.InodeTable.7: '],
      [request('"7":{"Kind":"symlink","Wrong":1}'), 'Wrong'],
      ['{"Image":{"FileSystem":{"Wrong":{}}}}', 'Image.FileSystem.Wrong'],
      ['{"Image":{"FileSystem":{"InodeTable":{', 'JSON'],
      ['{"Image":{}} x', 'JSON'],
      ['[]', 'JSON'],
      ['', 'JSON'],
    ];
    for (const [text, words] of bad) {
      const error = await decodeImageText(text).catch((thrown) => thrown as Error);
      expect([text, (error as { code?: string }).code, (error as Error).message.includes(words)]).toEqual([
        text,
        'INVALID_REQUEST',
        true,
      ]);
    }
  });

  test('any text is refused or decoded as at once', async () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"Image"',
      '"FileSystem"',
      '"InodeTable"',
      '"1"',
      'null',
      '1',
      '"Kind"',
      '"symlink"',
      ' ',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 20 }), async (tokens) => {
        const text = tokens.join('');
        // Alone it stands for the zero value; no long text does.
        fc.pre(text.trim() !== 'null');
        const decoded = await decodeImageText(text).catch((thrown: { code: string }) => thrown.code);
        let atOnce: unknown;
        try {
          atOnce = fromJson(AddImageRequest, text);
        } catch (thrown) {
          atOnce = (thrown as { code: string }).code;
        }
        expect(decoded as unknown).toEqual(atOnce);
      }),
      { numRuns: 3000 },
    );
  });

  test('others get their turns', async () => {
    const text = request(Array.from({ length: 20_000 }, (_, index) => entry(index)).join(','));
    let turns = 0;
    let over = false;
    const tick = () => {
      turns++;
      if (!over) setImmediate(tick);
    };
    setImmediate(tick);
    const decoded = await decodeImageText(text);
    over = true;
    expect(turns).toBeGreaterThan(5);
    expect(toJson(AddImageRequest, decoded).length).toBeGreaterThan(text.length - 1000);
  });
});
