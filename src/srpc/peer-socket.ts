/** What readers and writers need of a connection: accepted sockets of the front are such, those of node:net too. */

interface Listening {
  (event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  (event: 'error', listener: (error: Error) => void): unknown;
  (event: 'end' | 'drain' | 'close', listener: () => void): unknown;
}

export interface PeerSocket {
  /** Closed, from whichever side; nothing more comes or goes. */
  readonly destroyed: boolean;
  /** Why, if not because everything was said. */
  readonly errored: Error | null;
  readonly readableEnded: boolean;
  readonly writableEnded: boolean;
  /** Bytes that wait because the system takes no more. */
  readonly writableLength: number;
  /** Nothing more should be written until `drain`. */
  readonly writableNeedDrain: boolean;
  /** Bytes handed over by the system and to it. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** `taken` is called when the system has taken everything up to here; never if the socket closes before. */
  write(data: Uint8Array, taken?: () => void): boolean;
  /** Nothing more will be written; what waits still goes out. */
  end(): unknown;
  destroy(reason?: Error): unknown;
  pause(): unknown;
  resume(): unknown;
  readonly on: Listening;
  readonly once: Listening;
  readonly off: Listening;
}
