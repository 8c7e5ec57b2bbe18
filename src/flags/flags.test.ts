import { describe, expect, test } from 'bun:test';
import {
  booleanFlag,
  defaults,
  durationFlag,
  flag,
  flagsHelp,
  HelpWanted,
  parseFlagFile,
  parseFlags,
  stringFlag,
  uintFlag,
} from './flags.ts';
import { nearestWord } from './nearest.ts';
import { formatDuration, parseDuration, parseSize } from './values.ts';

const FLAGS = {
  name: flag(stringFlag, 'x', 'a name'),
  port: flag(uintFlag, 1, 'a port'),
  on: flag(booleanFlag, false, 'a switch'),
  wait: flag(durationFlag, 0n, 'a time'),
};
const parse = (...args: string[]) => {
  const values = defaults(FLAGS);
  return { rest: parseFlags(FLAGS, args, values), ...values };
};

describe('flags', () => {
  test('every form of them', () => {
    expect(parse('-name=a', '--port', '5', '-on', 'cmd', '-wait=1h30m', 'arg')).toEqual({
      rest: ['cmd', 'arg'],
      name: 'a',
      port: 5,
      on: true,
      wait: 5_400_000_000_000n,
    });
    expect(parse('-on=false', '--', '-name').rest).toEqual(['-name']);
    expect(parse('add', '', '-').rest).toEqual(['add', '', '-']);
  });
  test('words joined by dashes', () => {
    const flags = { noSameOwner: flag(booleanFlag, false, '') };
    const values = defaults(flags);
    parseFlags(flags, ['--no-same-owner'], values);
    expect(values.noSameOwner).toBe(true);
  });
  test('numbers', () => {
    for (const [text, value] of [
      ['0x10', 16],
      ['+5', 5],
      ['0b11', 3],
    ] as const)
      expect(parse(`-port=${text}`).port).toBe(value);
    expect(() => parse('-port=-1')).toThrow('parse error');
    expect(() => parse('-port=99999999999999999999')).toThrow('value out of range');
  });
  test('nearest words', () => {
    const known = ['add', 'addi', 'delete', 'list', 'listdirs', 'find-latest-image'];
    for (const [word, nearest] of [
      ['lst', 'list'],
      ['dleete', 'delete'],
      ['find', 'find-latest-image'],
      ['xyzzy', undefined],
    ] as const)
      expect([word, nearestWord(word, known)]).toEqual([word, nearest]);
  });
  test('errors', () => {
    expect(() => parse('-nam=1')).toThrow('flag provided but not defined: -nam (did you mean -name?)');
    expect(() => parse('-port=x')).toThrow('invalid value "x" for flag -port: parse error');
    expect(() => parse('-on=maybe')).toThrow('invalid boolean value "maybe" for -on: parse error');
    expect(() => parse('-wait=5x')).toThrow('invalid value "5x" for flag -wait: parse error');
    expect(() => parse('-zzzz')).toThrow(new Error('flag provided but not defined: -zzzz'));
    expect(() => parse('-port')).toThrow('flag needs an argument: -port');
    expect(() => parse('-h')).toThrow(HelpWanted);
  });
  test('files', () => {
    const values = defaults(FLAGS);
    parseFlagFile(FLAGS, '# c\n; c\n\n name = b \nport=7', 'f', values);
    expect(values).toMatchObject({ name: 'b', port: 7 });
    expect(() => parseFlagFile(FLAGS, '\nbad=1', 'f', values)).toThrow('f:2: no such flag -bad');
    expect(() => parseFlagFile(FLAGS, 'bad', 'f', values)).toThrow(
      'f:1: bad line, cannot split name from value: bad',
    );
  });
  test('help names all', () => expect(flagsHelp(FLAGS)).toContain('-port uint\n    \ta port (default 1)'));
  test('durations and sizes', () => {
    expect(parseDuration('1.5s')).toBe(1_500_000_000n);
    expect(parseDuration('2d')).toBe(172_800_000_000_000n);
    for (const bad of ['', '5', 'x', '1h ', '1y'])
      expect(() => parseDuration(bad)).toThrow('invalid duration');
    expect(formatDuration(5_400_000_000_000n)).toBe('1h30m0s');
    const sizes: [string, number][] = [
      ['5', 5],
      ['10MiB', 10485760],
      ['10M', 10485760],
      ['10MB', 1e7],
      ['5kB', 5000],
      ['7B', 7],
    ];
    for (const [text, size] of sizes) expect(parseSize(text)).toBe(size);
    expect(() => parseSize('10X')).toThrow('invalid size');
  });
});
