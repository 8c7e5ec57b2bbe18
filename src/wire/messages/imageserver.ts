/** Messages of the ImageServer service. Field names and order are the original's. */
import {
  bool,
  duration,
  hash,
  map,
  pointer,
  slice,
  string,
  struct,
  time,
  uint8,
  uint32,
  uint64,
  type ValueOf,
} from '../schema.ts';
import { Directory, Image } from './image.ts';

const name = (what: string) => struct(`imageserver.${what}Request`, { ImageName: string });

export const AddImageRequest = struct('imageserver.AddImageRequest', {
  ImageName: string,
  Image: pointer(Image),
});
export type AddImageRequest = ValueOf<typeof AddImageRequest>;
export const AddImageResponse = struct('imageserver.AddImageResponse', {});

export const ChangeImageExpirationRequest = struct('imageserver.ChangeImageExpirationRequest', {
  ExpiresAt: time,
  ImageName: string,
});
export const ChangeImageExpirationResponse = struct('imageserver.ChangeImageExpirationResponse', {
  Error: string,
});

export const GetImageExpirationRequest = name('GetImageExpiration');
export const GetImageExpirationResponse = struct('imageserver.GetImageExpirationResponse', {
  Error: string,
  ExpiresAt: time,
});

export const ChownDirectoryRequest = struct('imageserver.ChangeOwnerRequest', {
  DirectoryName: string,
  OwnerGroup: string,
});
export const ChownDirectoryResponse = struct('imageserver.ChangeOwnerResponse', {});

export const CheckDirectoryRequest = struct('imageserver.CheckDirectoryRequest', { DirectoryName: string });
export const CheckDirectoryResponse = struct('imageserver.CheckDirectoryResponse', { DirectoryExists: bool });

export const CheckImageRequest = name('CheckImage');
export const CheckImageResponse = struct('imageserver.CheckImageResponse', { ImageExists: bool });

export const DeleteImageRequest = name('DeleteImage');
export const DeleteImageResponse = struct('imageserver.DeleteImageResponse', {});

export const DeleteUnreferencedObjectsRequest = struct('imageserver.DeleteUnreferencedObjectsRequest', {
  Percentage: uint8,
  Bytes: uint64,
});
export const DeleteUnreferencedObjectsResponse = struct('imageserver.DeleteUnreferencedObjectsResponse', {});

export const FindLatestImageRequest = struct('imageserver.FindLatestImageRequest', {
  BuildCommitId: string,
  DirectoryName: string,
  IgnoreExpiringImages: bool,
  TagsToMatch: map(string, slice(string), 'tags.MatchTags'),
});
export const FindLatestImageResponse = struct('imageserver.FindLatestImageResponse', {
  ImageName: string,
  Error: string,
});

export const GetImageRequest = struct(
  'imageserver.GetImageRequest',
  { ImageName: string, IgnoreFilesystem: bool, IgnoreFilesystemIfExpiring: bool, Timeout: duration },
  { Timeout: 'Nanoseconds to wait for an image that is not there yet; 0 = do not wait.' },
);
export const GetImageResponse = struct('imageserver.GetImageResponse', { Image: pointer(Image) });

export const MakeDirectoryRequest = struct('imageserver.MakeDirectoryRequest', {
  DirectoryName: string,
  MakeAll: bool,
});
export const MakeDirectoryResponse = struct('imageserver.MakeDirectoryResponse', {});

/** Values of ImageUpdate.Operation. */
export const Operation = { AddImage: 0, DeleteImage: 1, MakeDirectory: 2, DeleteDirectory: 3 } as const;
export const ImageUpdate = struct('imageserver.ImageUpdate', {
  Name: string,
  Directory: pointer(Directory),
  Operation: uint32,
});
export type ImageUpdate = ValueOf<typeof ImageUpdate>;

/** An object and its size, as listed by ListUnreferencedObjects; Size 0 ends the list. */
export const ObjectEntry = struct('imageserver.Object', { Hash: hash, Size: uint64 });
export type ObjectEntry = ValueOf<typeof ObjectEntry>;
