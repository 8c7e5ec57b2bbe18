import { describe, expect, test } from 'bun:test';
import { planCommand } from './command-line.ts';
import { IMAGE_TOOL, OBJECT_TOOL } from './program.ts';

const plan = (...args: string[]) => planCommand(IMAGE_TOOL, args);

describe('command lines', () => {
  test('flags before and behind the command', () => {
    for (const args of [
      ['-imageServerPortNum=7', 'get', 'a/b', 'dir'],
      ['get', 'a/b', '--image-server-port-num', '7', 'dir'],
    ])
      expect(plan(...args)).toMatchObject({
        command: { name: 'get' },
        args: ['a/b', 'dir'],
        flags: { imageServerPortNum: 7 },
      });
  });
  const refused: readonly [string[], string][] = [
    [[], 'no command given\n'],
    [['lst'], 'unknown command: lst (did you mean list?)\n'],
    [['-jsn', 'list'], 'flag provided but not defined: -jsn (did you mean -json?)\n'],
    [['get', 'a'], 'Usage: imagetool [flags...] get name directory\n'],
    [['-expiresIn=1m', 'list'], 'Minimum expiration: 15m0s'],
    [['-requiredPaths=', 'list'], 'invalid value "" for flag -requiredPaths: invalid entry: \n'],
    [['-requiredPaths=/etc', 'list'], 'invalid value "/etc" for flag -requiredPaths: invalid entry: /etc\n'],
    [['-filterFile=/nowhere', 'list'], 'open /nowhere: no such file or directory'],
  ];
  for (const [args, text] of refused)
    test(`imagetool ${args.join(' ')}`, () => {
      const planned = plan(...args);
      expect(planned).toMatchObject({ status: 2 });
      expect('text' in planned ? planned.text : '').toStartWith(text);
    });
  test('help', () => {
    for (const args of [['-h'], ['help'], ['--help', 'list']])
      expect(plan(...args)).toMatchObject({ status: 0 });
    expect(plan('help', 'add')).toMatchObject({
      text: expect.stringContaining('add name imagefile filterfile'),
    });
    expect(plan('add', '-h')).toMatchObject({
      text: expect.stringContaining('add name imagefile filterfile'),
    });
  });
  test('objecttool has its own flags', () => {
    expect(planCommand(OBJECT_TOOL, ['-objectServerPortNum=9', 'check', 'x'])).toMatchObject({
      command: { name: 'check' },
      flags: { imageServerPortNum: 9 },
    });
    expect(planCommand(OBJECT_TOOL, ['-imageServerPortNum=9', 'check', 'x'])).toMatchObject({ status: 2 });
  });
  test('every command is named once', () => {
    const names = IMAGE_TOOL.commands.map((one) => one.name);
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  });
});
