/** The daemon's side of who may do what: TLS of the port, the audit log, the certificate that a master is shown. */
import { dirname, join } from 'node:path';
import { AuditLog } from '../access/audit.ts';
import { loadServerCa } from '../access/client-pairs.ts';
import { rotatedFile } from '../access/rotated-file.ts';
import { openTlsServer, type TlsServer } from '../access/tls.ts';
import { ImageServerError } from '../errors.ts';
import { booleanFlag, type FlagValues, flag, stringFlag } from '../flags/flags.ts';
import { connectSrpc, type SrpcClient } from '../srpc/client.ts';

export const SECURITY_FLAGS = {
  permitInsecureMode: flag(
    booleanFlag,
    false,
    'Start although the TLS files cannot be used: every caller may do everything then',
  ),
  CAfile: flag(stringFlag, '/etc/ssl/CA.pem', 'Root of trust for identity and method rights'),
  identityCAfile: flag(
    stringFlag,
    '/etc/ssl/IdentityCA.pem',
    'Root of trust for identity only; may be absent or empty',
  ),
  certFile: flag(
    stringFlag,
    '/etc/ssl/imageserver/cert.pem',
    'Server certificate, also shown to the replication master',
  ),
  keyFile: flag(stringFlag, '/etc/ssl/imageserver/key.pem', 'Key of the server certificate'),
  allowUnauthenticatedReads: flag(booleanFlag, false, 'Read methods and objects need no identity'),
  serverCAfile: flag(stringFlag, '', 'CA to verify the replication master with; empty = it is not verified'),
  allowPlaintext: flag(
    booleanFlag,
    false,
    'Talk to a replication master without TLS although there is a certificate to show',
  ),
} as const;
type SecurityFlags = FlagValues<typeof SECURITY_FLAGS> & { readonly logDir: string };

export interface Security {
  /** Undefined: the server runs without TLS and everybody may do everything. */
  readonly tls: TlsServer | undefined;
  readonly audit: AuditLog;
  connectMaster(host: string, port: number, signal?: AbortSignal): Promise<SrpcClient>;
  /** After the last call: writes what waits. */
  close(): Promise<void>;
}

function openTls(flags: SecurityFlags, log: (line: string) => void): TlsServer | undefined {
  const { certFile, keyFile, CAfile: caFile, identityCAfile: identityCaFile } = flags;
  try {
    return openTlsServer({ files: { certFile, keyFile, caFile, identityCaFile }, log });
  } catch (error) {
    if (!flags.permitInsecureMode || !(error instanceof ImageServerError)) throw error;
    log(`INSECURE, every caller may do everything: ${error.message}`);
    return undefined;
  }
}

function openAudit(directory: string, log: (line: string) => void): AuditLog {
  const toLog = async (lines: string) => {
    for (const line of lines.trimEnd().split('\n')) log(`AUDIT ${line}`);
  };
  return new AuditLog({
    write: directory === '' ? toLog : rotatedFile({ path: join(directory, 'audit.log') }),
    log,
  });
}

/** Throws UNAVAILABLE, with the original's texts, when TLS files cannot be used and insecure mode is not permitted. */
export function openSecurity(flags: SecurityFlags, log: (line: string) => void): Security {
  const tls = openTls(flags, log);
  const audit = openAudit(flags.logDir, log);
  return {
    tls,
    audit,
    connectMaster: (host, port, signal) =>
      connectSrpc({
        host,
        port,
        ...(signal ? { signal } : {}),
        ...(tls
          ? {
              tls: {
                pairs: [tls.pair()],
                serverCa: loadServerCa(flags.serverCAfile, dirname(flags.certFile)),
                allowPlainFallback: flags.allowPlaintext,
              },
            }
          : {}),
      }),
    async close() {
      tls?.close();
      await audit.flush();
    },
  };
}
