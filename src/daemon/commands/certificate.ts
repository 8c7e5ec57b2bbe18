/** `imageserver certificate`: a certificate for a user or for another server, issued by the CA that init made. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SERVER_CA_NAME } from '../../access/client-pairs.ts';
import { issueCertificate } from '../../access/issue.ts';
import { type KeyPair, readKeyPair } from '../../access/tls-files.ts';
import {
  booleanFlag,
  type FlagValues,
  flag,
  listFlag,
  stringFlag,
  UsageError,
  uintFlag,
} from '../../flags/flags.ts';
import { CommandError, type CommandIo, runCommand } from './command.ts';
import { existsAlready, makeDirectory, ownerAt, writeNewFile } from './new-files.ts';

const DAY = 86_400_000;

/** What a replica calls at its master. */
export const REPLICA_METHODS = [
  'ImageServer.AddImageTrusted',
  'ImageServer.GetImage',
  'ImageServer.GetImageExpiration',
  'ImageServer.GetImageUpdates',
  'ImageServer.ListImageIdentities',
  'ObjectServer.AddObjects',
  'ObjectServer.CheckObjects',
  'ObjectServer.GetObjects',
];

const FLAGS = {
  user: flag(
    stringFlag,
    '',
    'User name, or name of the server: common name of the certificate and of its files',
  ),
  methods: flag(
    listFlag,
    [],
    'Methods that may be called, with wildcards: "ImageServer.*,ObjectServer.GetObjects"',
  ),
  groups: flag(listFlag, [], 'Groups of the user: they own image directories'),
  days: flag(uintFlag, 365, 'Life of the certificate in days'),
  server: flag(
    booleanFlag,
    false,
    'For a server: may be verified by name, and replicate from another server',
  ),
  host: flag(listFlag, [], 'Names and addresses of the server, besides -user and localhost'),
  output: flag(stringFlag, '.', 'Directory for NAME.cert and NAME.key'),
  root: flag(stringFlag, '', 'Prefix of the places of the CA'),
  CAfile: flag(stringFlag, '/etc/ssl/CA.pem', 'Certificate of the CA'),
  CAkeyFile: flag(stringFlag, '/etc/ssl/private/CA.key', 'Key of the CA'),
  force: flag(booleanFlag, false, 'Overwrite existing files'),
} as const;

/** Names become names of files, and go into logs. */
const NAME = /^[^/\s.\p{Cc}][^/\p{Cc}]*$/u;
/** RFC 5280 has no longer common names. */
const MAX_NAME = 64;

/** Throws UsageError for globs that every server would choke on. */
export function checkMethods(methods: readonly string[]): void {
  const bad = methods.find((entry) => !/^[^\s.]+\.[^\s.]+$/.test(entry));
  if (bad !== undefined)
    throw new UsageError(`bad method "${bad}": Service.Method is wanted, for instance ImageServer.*`);
}

/** Names and addresses under which a server is found. */
export function serverHosts(names: readonly string[]): string[] {
  return [...new Set([...names, hostname(), 'localhost', '127.0.0.1', '::1'])];
}

/** The last day on which a certificate of the CA can be good. */
export function lastDay(days: number, issuer: KeyPair & { chain: readonly { notAfter: number }[] }): Date {
  const { notAfter = 0 } = issuer.chain[0] ?? {};
  if (notAfter < Date.now()) throw new CommandError('the CA has expired');
  return new Date(Math.min(Date.now() + days * DAY, notAfter));
}

/** Loads CA and key. Throws CommandError. */
export function readAuthority(certFile: string, keyFile: string): ReturnType<typeof readKeyPair> {
  try {
    return readKeyPair(certFile, keyFile);
  } catch (error) {
    throw new CommandError(`cannot use the CA: ${(error as Error).message}`, { cause: error });
  }
}

async function run(flags: FlagValues<typeof FLAGS>, io: CommandIo): Promise<void> {
  const { user, groups, root, output, force, server } = flags;
  if (!NAME.test(user)) throw new UsageError('-user NAME is wanted');
  if (user.length > MAX_NAME) throw new UsageError(`-user: at most ${MAX_NAME} characters`);
  const methods = server && flags.methods.length === 0 ? REPLICA_METHODS : flags.methods;
  checkMethods(methods);
  if (flags.host.length > 0 && !server) throw new UsageError('-host is for servers: add -server');
  const files = { cert: join(output, `${user}.cert`), key: join(output, `${user}.key`) };
  for (const path of Object.values(files)) if (!force && existsSync(path)) throw existsAlready(path);
  const authority = join(root, flags.CAfile);
  const issuer = readAuthority(authority, join(root, flags.CAkeyFile));
  const notAfter = lastDay(flags.days, issuer);
  const pair = await issueCertificate(
    {
      commonName: user,
      notBefore: new Date(Date.now() - 60_000),
      notAfter,
      usages: server ? ['server', 'client'] : ['client'],
      ...(server ? { hosts: serverHosts([user, ...flags.host]) } : {}),
      ...(methods.length > 0 ? { methods } : {}),
      ...(groups.length > 0 ? { groups } : {}),
    },
    issuer,
  );
  const owner = ownerAt(output);
  makeDirectory(output, 0o755, owner, owner);
  writeNewFile({ path: files.key, text: pair.key, mode: 0o600, owner }, force);
  writeNewFile({ path: files.cert, text: pair.cert, mode: 0o644, owner }, force);
  io.out(`${files.cert}  until ${notAfter.toISOString().slice(0, 10)}`);
  io.out(`${files.key}`);
  io.out(`User:    ${user}`);
  io.out(`Methods: ${methods.join(', ') || 'public ones only'}`);
  io.out(`Groups:  ${groups.join(', ') || 'none'}`);
  const beside = join(output, SERVER_CA_NAME);
  const authorities = readFileSync(authority, 'utf8');
  if (force || !existsSync(beside))
    writeNewFile({ path: beside, text: authorities, mode: 0o644, owner }, force);
  if (readFileSync(beside, 'utf8') === authorities)
    io.out(`${beside}  lets ${server ? 'it verify its master' : 'the tools verify the server'}`);
  else io.out(`${beside}  kept, but it differs from ${authority}: servers are verified with it`);
  if (server) {
    io.out(`On that server they become cert.pem, key.pem (for its user only) and ${SERVER_CA_NAME} in`);
    io.out('/etc/ssl/imageserver; the CA for its clients is /etc/ssl/CA.pem.');
    return;
  }
  io.out(`Put the files into ~/.ssl of ${user}, then: imagetool -imageServerHostname=${hostname()} list`);
}

export function certificateCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runCommand(
    {
      name: 'certificate',
      summary: 'Issues a certificate for a user, or with -server for another server.',
      flags: FLAGS,
      run,
    },
    args,
    io,
  );
}
