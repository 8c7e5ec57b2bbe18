/** Messages of the Logger service. */
import { int16, slice, string, struct, uint8, type ValueOf } from '../schema.ts';

export const DebugRequest = struct('logger.DebugRequest', {
  Args: slice(string),
  Name: string,
  Level: uint8,
});
export const DebugResponse = struct('logger.DebugResponse', {});

export const PrintRequest = struct('logger.PrintRequest', { Args: slice(string), Name: string });
export const PrintResponse = struct('logger.PrintResponse', {});

export const SetDebugLevelRequest = struct('logger.SetDebugLevelRequest', { Name: string, Level: int16 });
export const SetDebugLevelResponse = struct('logger.SetDebugLevelResponse', {});

export const WatchRequest = struct('logger.WatchRequest', {
  DebugLevel: int16,
  ExcludeRegex: string,
  IncludeRegex: string,
  Name: string,
});
export type WatchRequest = ValueOf<typeof WatchRequest>;
export const WatchResponse = struct('logger.WatchResponse', { Error: string });
