/** Made by `bun client/generate.ts` from the table of methods; not to be edited. */
import { AddObjectsBody, AddObjectsReply, GetObjectsReply } from '../src/http/rpc/object-messages.ts';
import {
  GetReplicationStatusRequest,
  GetReplicationStatusResponse,
  ImageIdentity,
  ListTrashRequest,
  ListTrashResponse,
  PreviewDeleteUnreferencedObjectsRequest,
  PreviewDeleteUnreferencedObjectsResponse,
  PurgeTrashRequest,
  PurgeTrashResponse,
  ReleaseHeldDeletionsRequest,
  ReleaseHeldDeletionsResponse,
  UndeleteImageRequest,
  UndeleteImageResponse,
} from '../src/wire/messages/extensions.ts';
import { Directory } from '../src/wire/messages/image.ts';
import {
  AddImageRequest,
  AddImageResponse,
  ChangeImageExpirationRequest,
  ChangeImageExpirationResponse,
  CheckDirectoryRequest,
  CheckDirectoryResponse,
  CheckImageRequest,
  CheckImageResponse,
  ChownDirectoryRequest,
  ChownDirectoryResponse,
  DeleteImageRequest,
  DeleteImageResponse,
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
  FindLatestImageRequest,
  FindLatestImageResponse,
  GetImageExpirationRequest,
  GetImageExpirationResponse,
  GetImageRequest,
  GetImageResponse,
  MakeDirectoryRequest,
  MakeDirectoryResponse,
  ObjectEntry,
} from '../src/wire/messages/imageserver.ts';
import {
  DebugRequest,
  DebugResponse,
  PrintRequest,
  PrintResponse,
  SetDebugLevelRequest,
  SetDebugLevelResponse,
} from '../src/wire/messages/logger.ts';
import {
  CheckObjectsRequest,
  CheckObjectsResponse,
  GetObjectsRequest,
} from '../src/wire/messages/objectserver.ts';

/** Calls with one request and one reply. */
export const CALLS = {
  /** Adds an image whose objects are here already; CreatedBy and CreatedOn are set by the server. */
  'ImageServer.AddImage': { request: AddImageRequest, reply: AddImageResponse },
  /** Adds an image and keeps its CreatedBy and CreatedOn; used by replicas towards their master. */
  'ImageServer.AddImageTrusted': { request: AddImageRequest, reply: AddImageResponse },
  /** Extends the life of an expiring image; the zero time makes it permanent. */
  'ImageServer.ChangeImageExpiration': {
    request: ChangeImageExpirationRequest,
    reply: ChangeImageExpirationResponse,
  },
  /** Tells whether an image directory exists; "." is the top level. */
  'ImageServer.CheckDirectory': { request: CheckDirectoryRequest, reply: CheckDirectoryResponse },
  /** Tells whether an image exists. */
  'ImageServer.CheckImage': { request: CheckImageRequest, reply: CheckImageResponse },
  /** Sets the owner group of an image directory; an empty group clears it. */
  'ImageServer.ChownDirectory': { request: ChownDirectoryRequest, reply: ChownDirectoryResponse },
  /** Deletes an image. It stays in the trash for the grace period; a damaged one goes to the quarantine. */
  'ImageServer.DeleteImage': { request: DeleteImageRequest, reply: DeleteImageResponse },
  /** Deletes objects that no image uses, oldest first, until both the percentage of their number and the bytes are reached. */
  'ImageServer.DeleteUnreferencedObjects': {
    request: DeleteUnreferencedObjectsRequest,
    reply: DeleteUnreferencedObjectsResponse,
  },
  /** Names the image with the latest creation time, not in the future if there is another, directly inside a directory. */
  'ImageServer.FindLatestImage': { request: FindLatestImageRequest, reply: FindLatestImageResponse },
  /** Fetches an image, with or without its file-system; optionally waits for it to be added. */
  'ImageServer.GetImage': { request: GetImageRequest, reply: GetImageResponse },
  /** Tells when an image expires; the zero time means never. */
  'ImageServer.GetImageExpiration': { request: GetImageExpirationRequest, reply: GetImageExpirationResponse },
  /** How a replica is doing: connection, lag, failing images, deletions held back, clock skew. */
  'ImageServer.GetReplicationStatus': {
    request: GetReplicationStatusRequest,
    reply: GetReplicationStatusResponse,
  },
  /** Deleted images that can still be brought back, oldest first. */
  'ImageServer.ListTrash': { request: ListTrashRequest, reply: ListTrashResponse },
  /** Makes an image directory; it inherits the parent's owner group. MakeAll makes missing parents too. */
  'ImageServer.MakeDirectory': { request: MakeDirectoryRequest, reply: MakeDirectoryResponse },
  /** What DeleteUnreferencedObjects would delete now; nothing is deleted. */
  'ImageServer.PreviewDeleteUnreferencedObjects': {
    request: PreviewDeleteUnreferencedObjectsRequest,
    reply: PreviewDeleteUnreferencedObjectsResponse,
  },
  /** Removes deleted images for good before their grace period is over: one, or all. */
  'ImageServer.PurgeTrash': { request: PurgeTrashRequest, reply: PurgeTrashResponse },
  /** Lets deletions happen that a replica has held back because there were so many. */
  'ImageServer.ReleaseHeldDeletions': {
    request: ReleaseHeldDeletionsRequest,
    reply: ReleaseHeldDeletionsResponse,
  },
  /** Brings a deleted image back from the trash, the last one of that name unless an id is given. */
  'ImageServer.UndeleteImage': { request: UndeleteImageRequest, reply: UndeleteImageResponse },
  /** Writes a line to the server's log if its debug level is at least the one given. */
  'Logger.Debug': { request: DebugRequest, reply: DebugResponse },
  /** Writes a line to the server's log. */
  'Logger.Print': { request: PrintRequest, reply: PrintResponse },
  /** Sets up to which level debug messages go to the server's log; -1 = none. */
  'Logger.SetDebugLevel': { request: SetDebugLevelRequest, reply: SetDebugLevelResponse },
  /** Stores objects; each is hashed as it arrives and durable when its answer comes. */
  'ObjectServer.AddObjects': { request: AddObjectsBody, reply: AddObjectsReply },
  /** Sizes of objects in the order asked for; 0 = not here. */
  'ObjectServer.CheckObjects': { request: CheckObjectsRequest, reply: CheckObjectsResponse },
  /** Sends the contents of objects, one after the other in the order asked for. */
  'ObjectServer.GetObjects': { request: GetObjectsRequest, reply: GetObjectsReply },
} as const;

/** Calls that list: an item's message, or undefined where the items are names. */
export const LISTS = {
  /** Lists all image directories with their owner groups, "." first. */
  'ImageServer.ListDirectories': { item: Directory },
  /** Which version of each image is here: replicas compare everything in one call. */
  'ImageServer.ListImageIdentities': { item: ImageIdentity },
  /** Lists the names of all images. */
  'ImageServer.ListImages': { item: undefined },
  /** Lists the objects that no image uses with their sizes, oldest first. */
  'ImageServer.ListUnreferencedObjects': { item: ObjectEntry },
} as const;
