/** Query parameters of image and directory routes. */
import { choiceParameter, flagParameter, numberParameter, textParameter } from '../query.ts';

const MAX_PAGE = 10_000;
const MAX_OFFSET = 1_000_000_000;

export const LIST_QUERY = {
  directory: textParameter('Only images in this directory or below it'),
  name: textParameter('Only images whose names contain this text'),
  createdBy: textParameter('Only images of this user'),
  tag: textParameter('Only images with this tag: `key` or `key=value`'),
  expiring: flagParameter('Only images that expire, or only those that do not'),
  sort: choiceParameter(['name', 'created', 'size'], '`name` (version order) if not given'),
  order: choiceParameter(['asc', 'desc'], '`asc` if not given'),
  offset: numberParameter(0, MAX_OFFSET, 'First image of the page'),
  limit: numberParameter(1, MAX_PAGE, 'Images in a page; 100 if not given'),
};
export const IMAGE_QUERY = { fileSystem: flagParameter('With `false` the tree is left out') };
export const TREE_QUERY = {
  offset: numberParameter(0, MAX_OFFSET, 'First entry of the page'),
  limit: numberParameter(1, MAX_PAGE, 'Entries in a page; 1000 if not given'),
};
export const MAKE_QUERY = { parents: flagParameter('With `true` missing parents are made too') };
