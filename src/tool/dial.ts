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

/** Connects. Failures name no command: `Error dialing: HOST:PORT: connection refused`. */
export async function dialServer(flags: ToolFlags): Promise<WatchedClient> {
  const { imageServerHostname: host, imageServerPortNum: port } = flags;
  const tls = tlsOptions(flags);
  try {
    const client = await connectSrpc({ host, port, tls, timeoutMs: DIAL_TIMEOUT_MS });
    return new WatchedClient(client, Number(flags.idleTimeout / 1_000_000n), `${host}:${port}`);
  } catch (cause) {
    if (!(cause instanceof ImageServerError)) throw cause;
    const hint = /plain connection was not allowed/.test(cause.message) ? ' (-allowPlaintext allows it)' : '';
    throw new Failure(cause.code, `dialing: ${cause.message}${hint}`, { cause });
  }
}
