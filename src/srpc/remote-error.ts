/** An error line of a server, verbatim, with the stable code that its words tell. */
import { type ErrorCode, ImageServerError } from '../errors.ts';

const CODES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^access to method denied|no access to image|no membership of|not a member of/, 'ACCESS_DENIED'],
  [/directory.*already exists|already exists.*directory/, 'DIRECTORY_EXISTS'],
  [/already exists/, 'IMAGE_EXISTS'],
  [/image (does not exist|not found)|unknown image/, 'IMAGE_NOT_FOUND'],
  [/directory.*(does not exist|not found)|no metadata for|unknown directory/, 'DIRECTORY_NOT_FOUND'],
  [/not available|unknown objects?/, 'OBJECTS_MISSING'],
  [/^unknown service: |: unknown method: /, 'METHOD_NOT_FOUND'],
  [/hash mismatch/, 'HASH_MISMATCH'],
  [/collision detected/, 'COLLISION'],
  [/no space left/, 'NO_SPACE'],
  [/does not expire|not expiring/, 'NOT_EXPIRING'],
];

export class RemoteError extends ImageServerError {
  constructor(message: string) {
    super(CODES.find(([words]) => words.test(message))?.[1] ?? 'INVALID_REQUEST', message);
    this.name = 'RemoteError';
  }
}
