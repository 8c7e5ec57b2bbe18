/** Messages of the calls that the original does not have. */
import {
  bool,
  duration,
  hash,
  int64,
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

export const ImageIdentity = struct(
  'imageserver.ImageIdentity',
  { Name: string, Identity: string, CreatedOn: time, CreatedBy: string, ExpiresAt: time },
  { Identity: 'SHA-512 of the stored image, hex; empty = the image is there but damaged.' },
);
export type ImageIdentity = ValueOf<typeof ImageIdentity>;

export const ListTrashRequest = struct('imageserver.ListTrashRequest', {});
export const TrashedImage = struct(
  'imageserver.TrashedImage',
  {
    Id: string,
    Name: string,
    DeletedAt: time,
    DeletedBy: string,
    PurgeAt: time,
    DataBytes: uint64,
  },
  { PurgeAt: 'When it is removed for good.', DataBytes: 'Sum of the sizes of its files.' },
);
export type TrashedImage = ValueOf<typeof TrashedImage>;
export const ListTrashResponse = struct('imageserver.ListTrashResponse', { Images: slice(TrashedImage) });

export const UndeleteImageRequest = struct(
  'imageserver.UndeleteImageRequest',
  { ImageName: string, Id: string },
  { Id: 'Which of several deleted images of that name; empty = the last one.' },
);
export const UndeleteImageResponse = struct('imageserver.UndeleteImageResponse', { ImageName: string });

export const PurgeTrashRequest = struct(
  'imageserver.PurgeTrashRequest',
  { ImageName: string, Id: string, All: bool },
  { All: 'Everything in the trash.' },
);
export const PurgeTrashResponse = struct('imageserver.PurgeTrashResponse', { Images: slice(string) });

export const FailingImage = struct('imageserver.FailingImage', {
  Name: string,
  Reason: string,
  Attempts: uint32,
  Since: time,
  RetryAt: time,
});
export const HeldDeletion = struct('imageserver.HeldDeletion', { Name: string, Reason: string, Since: time });

export const GetReplicationStatusRequest = struct('imageserver.GetReplicationStatusRequest', {});
export const GetReplicationStatusResponse = struct(
  'imageserver.GetReplicationStatusResponse',
  {
    ReplicationMaster: string,
    State: string,
    ArchiveMode: bool,
    ConnectedSince: time,
    LastEvent: time,
    LastReconciled: time,
    Lag: duration,
    QueueLength: uint32,
    Failing: slice(FailingImage),
    HeldDeletions: slice(HeldDeletion),
    ClockSkew: pointer(int64),
    LastError: string,
    LastErrorAt: time,
    ReceivedBytes: uint64,
  },
  {
    ReplicationMaster: 'host:port; empty on a master.',
    State: 'connecting, initial, live or disconnected.',
    ClockSkew: "Nanoseconds by which the master's clock is ahead; null = not known.",
  },
);
export type GetReplicationStatusResponse = ValueOf<typeof GetReplicationStatusResponse>;

export const ReleaseHeldDeletionsRequest = struct(
  'imageserver.ReleaseHeldDeletionsRequest',
  { ImageNames: slice(string), All: bool },
  { All: 'All that are held; otherwise those named.' },
);
export const ReleaseHeldDeletionsResponse = struct('imageserver.ReleaseHeldDeletionsResponse', {
  ImageNames: slice(string),
});

export const PreviewDeleteUnreferencedObjectsRequest = struct(
  'imageserver.PreviewDeleteUnreferencedObjectsRequest',
  { Percentage: uint8, Bytes: uint64 },
);
export const CollectableObject = struct(
  'imageserver.CollectableObject',
  { Hash: hash, Size: uint64, Since: time },
  { Since: 'When it became unreferenced.' },
);
export const PreviewDeleteUnreferencedObjectsResponse = struct(
  'imageserver.PreviewDeleteUnreferencedObjectsResponse',
  { NumObjects: uint64, TotalBytes: uint64, Objects: slice(CollectableObject) },
  { Objects: 'The first 10,000 of them.' },
);
export type PreviewDeleteUnreferencedObjectsResponse = ValueOf<
  typeof PreviewDeleteUnreferencedObjectsResponse
>;
