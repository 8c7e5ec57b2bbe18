/** Connections to the server: address, certificates, limits of patience. */
import { existsSync } from 'node:fs';
import { loadClientPairs, loadServerCa } from '../access/client-pairs.ts';
import { ImageServerError } from '../errors.ts';
import { type ClientTlsOptions, connectSrpc } from '../srpc/client.ts';
import { Failure, Verbatim } from './errors.ts';
import { TOOL_FLAGS, type ToolFlags } from './flags.ts';
import { WatchedClient } from './watched-client.ts';

const DIAL_TIMEOUT_MS = 15_000;

/** The certificates to show. The standard directory need not be there, one that was named must be. */
function tlsOptions({
  certDirectory,
  serverCAfile,
  allowPlaintext,
}: ToolFlags): ClientTlsOptions | undefined {
  const standard = TOOL_FLAGS.certDirectory.value;
  const directory = certDirectory === standard && !existsSync(standard) ? '' : certDirectory;
  try {
    const pairs = directory === '' ? [] : loadClientPairs(directory);
    return { pairs, serverCa: loadServerCa(serverCAfile, directory), allowPlainFallback: allowPlaintext };
  } catch (cause) {
    if (!(cause instanceof ImageServerError)) throw cause;
    throw new Verbatim(cause.code, cause.message, { cause });
  }
}

/** Connects with the certificates of the flags. */
async function dial(flags: ToolFlags, host: string, port: number): Promise<WatchedClient> {
  const client = await connectSrpc({ host, port, tls: tlsOptions(flags), timeoutMs: DIAL_TIMEOUT_MS });
  return new WatchedClient(client, Number(flags.idleTimeout / 1_000_000n), `${host}:${port}`);
}

function dialFailure(cause: ImageServerError): string {
  const hint = /plain connection was not allowed/.test(cause.message) ? ' (-allowPlaintext allows it)' : '';
  return `${cause.message}${hint}`;
}

/** The image server. Failures name no command: `Error dialing: HOST:PORT: connection refused`. */
export async function dialServer(flags: ToolFlags): Promise<WatchedClient> {
  try {
    return await dial(flags, flags.imageServerHostname, flags.imageServerPortNum);
  } catch (cause) {
    if (!(cause instanceof ImageServerError) || cause instanceof Verbatim) throw cause;
    throw new Failure(cause.code, `dialing: ${dialFailure(cause)}`, { cause });
  }
}

/** Another server than the image server; `HOST` or `HOST:PORT`. */
export async function dialPeer(
  flags: ToolFlags,
  address: string,
  standardPort: number,
): Promise<WatchedClient> {
  // Colons of an IPv6 address do not count, unless it is in brackets.
  const [, host = address, port] = /^(\[.*\]|[^:]*):(\d{1,5})$/.exec(address) ?? [];
  try {
    return await dial(flags, host, port === undefined ? standardPort : Number(port));
  } catch (cause) {
    if (!(cause instanceof ImageServerError) || cause instanceof Verbatim) throw cause;
    throw new ImageServerError(cause.code, `Error dialing ${dialFailure(cause)}`, { cause });
  }
}
