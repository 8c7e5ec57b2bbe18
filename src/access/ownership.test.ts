import { describe, expect, test } from 'bun:test';
import type { ImageEntry } from '../store/types.ts';
import type { Identity } from './identity.ts';
import { checkChown, checkImageOwnership, checkMakeDirectory } from './ownership.ts';

const directories = new Map([
  ['.', ''],
  ['free', ''],
  ['games', 'games'],
  ['games/sub', 'imgadmins'],
]);
const image = { createdBy: 'ann', createdFor: 'cat', ownerUsers: ['bob'], ownerGroups: ['owners'] };
const images = {
  hasDirectory: (name: string) => directories.has(name),
  ownerGroup: (name: string) => directories.get(name),
  get: (name: string) => (name === 'free/image' ? (image as unknown as ImageEntry) : undefined),
};
const caller = (user: string, ...groups: string[]) => ({
  identity: { user, groups: new Set(groups), methods: [], authenticated: true } satisfies Identity,
  methodAccess: false,
});
const powerful = { ...caller('root'), methodAccess: true };
const NO_ACCESS = 'no access to image';
type Row = [name: string, work: () => void, refusal: string | undefined];

function rows(list: Row[]): void {
  test.each(list)('%s', (_name, work, refusal) => {
    if (refusal === undefined) work();
    else expect(work).toThrow(new Error(refusal));
  });
}

describe('images', () => {
  const check = (who: ReturnType<typeof caller>, name: string) => () =>
    checkImageOwnership(who, images, name);
  rows([
    ['method access', check(powerful, 'nowhere/x'), undefined],
    ['unknown directory', check(caller('x', 'games'), 'nowhere/x'), 'no metadata for: "nowhere"'],
    ['owner group', check(caller('x', 'games'), 'games/x'), undefined],
    ['another group', check(caller('x', 'users'), 'games/x'), NO_ACCESS],
    ['only the immediate directory counts', check(caller('x', 'games'), 'games/sub/x'), NO_ACCESS],
    ['no group: nobody', check(caller('x', '', 'games'), 'free/x'), NO_ACCESS],
    ['the root', check(caller('x', 'games'), 'x'), NO_ACCESS],
    ['its creator', check(caller('ann'), 'free/image'), undefined],
    ['for whom it was made', check(caller('cat'), 'free/image'), undefined],
    ['an owner', check(caller('bob'), 'free/image'), undefined],
    ['a group of owners', check(caller('x', 'owners'), 'free/image'), undefined],
    ['somebody else', check(caller('eve', 'games'), 'free/image'), NO_ACCESS],
    ['no name is no owner', check(caller('', 'owners'), 'free/image'), NO_ACCESS],
  ]);
});

describe('new directories', () => {
  const check = (who: ReturnType<typeof caller>, parent: string) => () =>
    checkMakeDirectory(who, images, parent);
  rows([
    ['method access', check(powerful, 'free'), undefined],
    ['no group', check(caller('x', 'games'), 'free'), NO_ACCESS],
    ['a member', check(caller('x', 'games'), 'games'), undefined],
    ['no member', check(caller('x', 'users'), 'games'), 'no membership of games group'],
  ]);
});

describe('owner groups', () => {
  const check = (who: ReturnType<typeof caller>, directory: string, group: string) => () =>
    checkChown(who, images, directory, group);
  rows([
    ['method access', check(powerful, 'free', 'any'), undefined],
    ['unknown directory', check(powerful, 'nowhere', 'any'), 'no metadata for: "nowhere"'],
    ['owner of the parent: any group', check(caller('x', 'games'), 'games/sub', 'any'), undefined],
    ['owner of the parent: none', check(caller('x', 'games'), 'games/sub', ''), undefined],
    [
      'not in the new group',
      check(caller('x', 'imgadmins'), 'games/sub', 'users'),
      'no membership of users group',
    ],
    ['not in the old group', check(caller('x', 'users'), 'games/sub', 'users'), NO_ACCESS],
    ['in both', check(caller('x', 'imgadmins', 'users'), 'games/sub', 'users'), undefined],
    ['in no group', check(caller('x', 'imgadmins'), 'games/sub', ''), 'no membership of  group'],
    ['the root has no parent', check(caller('x', 'games'), '.', 'games'), NO_ACCESS],
  ]);
});
