/** Images and what is attached to them (spec: image.Image). */
import {
  bool,
  hash,
  map,
  omitEmpty,
  pointer,
  slice,
  string,
  struct,
  time,
  uint64,
  type ValueOf,
} from '../schema.ts';
import { FileSystem } from './filesystem.ts';

export const Filter = struct('filter.Filter', { FilterLines: slice(string) });
export type Filter = ValueOf<typeof Filter>;

export const Trigger = struct('triggers.Trigger', {
  MatchLines: slice(string),
  Service: string,
  SortName: omitEmpty(string),
  DoReboot: omitEmpty(bool),
  DoReload: omitEmpty(bool),
  HighImpact: omitEmpty(bool),
});
export type Trigger = ValueOf<typeof Trigger>;
export const Triggers = struct('triggers.Triggers', { Triggers: slice(pointer(Trigger)) });
export type Triggers = ValueOf<typeof Triggers>;

export const Annotation = struct('image.Annotation', { Object: pointer(hash), URL: string });
export type Annotation = ValueOf<typeof Annotation>;

export const Package = struct('image.Package', { Name: string, Size: uint64, Version: string });
export type Package = ValueOf<typeof Package>;

export const DirectoryMetadata = struct('image.DirectoryMetadata', { OwnerGroup: string });
export type DirectoryMetadata = ValueOf<typeof DirectoryMetadata>;
export const Directory = struct('image.Directory', { Name: string, Metadata: DirectoryMetadata });
export type Directory = ValueOf<typeof Directory>;

export const Image = struct(
  'image.Image',
  {
    BuildBranch: string,
    BuildCommitId: string,
    BuildGitUrl: omitEmpty(string),
    CreatedBy: string,
    CreatedFor: omitEmpty(string),
    Filter: pointer(Filter),
    FileSystem: pointer(FileSystem),
    Triggers: pointer(Triggers),
    ReleaseNotes: pointer(Annotation),
    BuildLog: pointer(Annotation),
    CreatedOn: time,
    ExpiresAt: time,
    OwnerGroups: omitEmpty(slice(string)),
    OwnerUsers: omitEmpty(slice(string)),
    Packages: slice(Package),
    SourceImage: omitEmpty(string),
    Tags: omitEmpty(map(string, string, 'tags.Tags')),
  },
  {
    CreatedBy: 'User who added the image; set by the server.',
    CreatedOn: 'When the image was added; set by the server.',
    ExpiresAt: 'The zero time means never.',
    Filter: 'null = sparse image: only the paths of the image are managed.',
  },
);
export type Image = ValueOf<typeof Image>;
