/** JSON forms of the two ObjectServer calls that carry raw bytes: the bytes travel as base64 inside the message. */
import { AddObjectResponse } from '../../wire/messages/objectserver.ts';
import { bytes, hash, pointer, slice, string, struct, uint64 } from '../../wire/schema.ts';

const ObjectData = struct(
  'objectserver.ObjectData',
  { ExpectedHash: pointer(hash), Data: bytes },
  {
    ExpectedHash: 'SHA-512 that the contents must have; null = whatever they have.',
    Data: 'The contents, base64; never empty (an empty file has no object).',
  },
);
export const AddObjectsBody = struct('objectserver.AddObjectsBody', { Objects: slice(ObjectData) });
export const AddObjectsReply = struct(
  'objectserver.AddObjectsReply',
  { Responses: slice(AddObjectResponse) },
  { Responses: 'One for each object, in order, up to the first that failed.' },
);
export const GetObjectsReply = struct(
  'objectserver.GetObjectsReply',
  { ResponseString: string, ObjectSizes: slice(uint64), Objects: slice(bytes) },
  { ResponseString: 'Empty if all is well.', Objects: 'The contents in the order asked for, base64.' },
);
