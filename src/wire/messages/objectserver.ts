/** Messages of the ObjectServer service. */
import {
  bool,
  duration,
  hash,
  pointer,
  slice,
  string,
  struct,
  uint32,
  uint64,
  type ValueOf,
} from '../schema.ts';

export const AddObjectRequest = struct('objectserver.AddObjectRequest', {
  Length: uint64,
  ExpectedHash: pointer(hash),
});
export type AddObjectRequest = ValueOf<typeof AddObjectRequest>;
export const AddObjectResponse = struct('objectserver.AddObjectResponse', {
  ErrorString: string,
  Hash: hash,
  Added: bool,
});
export type AddObjectResponse = ValueOf<typeof AddObjectResponse>;

export const CheckObjectsRequest = struct('objectserver.CheckObjectsRequest', { Hashes: slice(hash) });
export const CheckObjectsResponse = struct('objectserver.CheckObjectsResponse', {
  ObjectSizes: slice(uint64),
});

export const GetObjectsRequest = struct('objectserver.GetObjectsRequest', {
  Exclusive: bool,
  Hashes: slice(hash),
});
export const GetObjectsResponse = struct('objectserver.GetObjectsResponse', {
  ResponseString: string,
  ObjectSizes: slice(uint64),
});

export const TestBandwidthRequest = struct('objectserver.TestBandwidthRequest', {
  Duration: duration,
  ChunkSize: uint32,
  SendToServer: bool,
});
export const TestBandwidthResponse = struct('objectserver.TestBandwidthResponse', {
  ServerDuration: duration,
});
