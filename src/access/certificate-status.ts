/** How long our own certificates are good for. */
import type { Certificate } from './certificate.ts';
import type { LoadedTls } from './tls-files.ts';

/** One certificate of ours and how long it is good for. */
export interface CertificateStatus {
  readonly role: 'server' | 'CA' | 'identity CA';
  /** Common name, or the serial number where there is none. */
  readonly subject: string;
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whole days; negative when expired. */
  readonly daysLeft: number;
  /** It expires soon, has expired or is not valid yet. */
  readonly warning: boolean;
}

const DAY = 86_400_000;
/** Warnings begin this long before the end, or in the last third of a shorter life. */
const WARNING_MS = 60 * DAY;

function statusOf(role: CertificateStatus['role'], certificate: Certificate, now: number): CertificateStatus {
  const { notBefore, notAfter, commonName, serial } = certificate;
  const left = notAfter - now;
  return {
    role,
    subject: commonName === '' ? `serial ${serial}` : commonName,
    serial,
    notBefore,
    notAfter,
    daysLeft: Math.floor(left / DAY),
    warning: now < notBefore || left < Math.min(WARNING_MS, (notAfter - notBefore) / 3),
  };
}

/** The server certificate with its chain, then the CAs. */
export function certificateStatus({ chain, trust }: LoadedTls, now: number): CertificateStatus[] {
  return [
    ...chain.map((certificate) => statusOf('server', certificate, now)),
    ...trust.full.map((certificate) => statusOf('CA', certificate, now)),
    ...(trust.identity ?? []).map((certificate) => statusOf('identity CA', certificate, now)),
  ];
}

/** A line for the log; undefined if all is well. */
export function expiryWarning(status: CertificateStatus, now: number): string | undefined {
  if (!status.warning) return undefined;
  const what = `certificate of the ${status.role} "${status.subject}"`;
  const date = (time: number) => new Date(time).toISOString().slice(0, 10);
  if (now < status.notBefore) return `${what} is not valid before ${date(status.notBefore)}`;
  if (now > status.notAfter) return `${what} expired on ${date(status.notAfter)}`;
  return `${what} expires on ${date(status.notAfter)}, in ${status.daysLeft} days`;
}
