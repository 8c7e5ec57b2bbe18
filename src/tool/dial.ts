/** The connection to the server: address, certificates, limits of patience. */
import { ImageServerError } from '../errors.ts';
import { connectSrpc, type SrpcClient } from '../srpc/client.ts';
import { Failure } from './errors.ts';
import type { ToolFlags } from './flags.ts';
import { WatchedClient } from './watched-client.ts';

const DIAL_TIMEOUT_MS = 10_000;

/** Connects. Failures name no command: `Error dialing: HOST:PORT: connection refused`. */
export async function dialServer(flags: ToolFlags): Promise<SrpcClient> {
  const { imageServerHostname: host, imageServerPortNum: port } = flags;
  try {
    const client = await connectSrpc({ host, port, timeoutMs: DIAL_TIMEOUT_MS });
    return new WatchedClient(client, Number(flags.idleTimeout / 1_000_000n), `${host}:${port}`);
  } catch (cause) {
    if (!(cause instanceof ImageServerError)) throw cause;
    throw new Failure(cause.code, `dialing: ${cause.message}`, { cause });
  }
}
