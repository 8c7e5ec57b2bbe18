/** `imageserver init`: what a first installation needs - data directories, a CA, a server certificate. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SERVER_CA_NAME } from '../../access/client-pairs.ts';
import { issueCertificate } from '../../access/issue.ts';
import { readKeyPair } from '../../access/tls-files.ts';
import { booleanFlag, type FlagValues, flag, listFlag, stringFlag, uintFlag } from '../../flags/flags.ts';
import { lastDay, REPLICA_METHODS, readAuthority, serverHosts } from './certificate.ts';
import { CommandError, type CommandIo, runCommand } from './command.ts';
import { makeDirectory, type Owner, writeNewFile } from './new-files.ts';

const DAY = 86_400_000;

const FLAGS = {
  root: flag(stringFlag, '', 'Prefix of all places, to try things out without being root'),
  imageDir: flag(stringFlag, '/var/lib/imageserver', 'Image directory'),
  objectDir: flag(stringFlag, '/var/lib/objectserver', 'Object directory'),
  logDir: flag(stringFlag, '/var/log/imageserver', 'Log directory'),
  CAfile: flag(stringFlag, '/etc/ssl/CA.pem', 'Certificate of the CA'),
  CAkeyFile: flag(stringFlag, '/etc/ssl/private/CA.key', 'Key of the CA; the server does not need it'),
  certFile: flag(stringFlag, '/etc/ssl/imageserver/cert.pem', 'Server certificate'),
  keyFile: flag(stringFlag, '/etc/ssl/imageserver/key.pem', 'Key of the server certificate'),
  username: flag(stringFlag, 'imageserver', 'User that the server will run as'),
  host: flag(listFlag, [], 'Further names and addresses under which the server is found'),
  caDays: flag(uintFlag, 3650, 'Life of the CA in days'),
  days: flag(uintFlag, 730, 'Life of the server certificate in days'),
  force: flag(booleanFlag, false, 'Make CA and server certificate anew although they exist'),
} as const;
type InitFlags = FlagValues<typeof FLAGS>;

/** Ids of a user of this system. */
function ownerNamed(name: string): Owner | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Whether a pair has to be made. Throws CommandError if only half of it is there. */
function isWanted(cert: string, key: string, force: boolean): boolean {
  if (force) return true;
  const [haveCert, haveKey] = [existsSync(cert), existsSync(key)];
  if (haveCert !== haveKey)
    throw new CommandError(
      `${haveCert ? cert : key} exists, but ${haveCert ? key : cert} does not: add it, or say -force to make both anew`,
    );
  return !haveCert;
}

class Installation {
  readonly #owner: Owner | undefined;
  readonly #asRoot = process.getuid?.() === 0;

  constructor(
    readonly flags: InitFlags,
    readonly io: CommandIo,
  ) {
    this.#owner = this.#asRoot ? ownerNamed(flags.username) : undefined;
  }

  path(flag: 'imageDir' | 'objectDir' | 'logDir' | 'CAfile' | 'CAkeyFile' | 'certFile' | 'keyFile'): string {
    return join(this.flags.root, this.flags[flag]);
  }

  directories(): void {
    for (const [name, mode] of [
      ['imageDir', 0o755],
      ['objectDir', 0o700],
      ['logDir', 0o755],
    ] as const) {
      const made = makeDirectory(this.path(name), mode, this.#owner);
      this.#tell(this.path(name), made ? 'made' : 'kept');
    }
  }

  async authority(): Promise<void> {
    const [cert, key] = [this.path('CAfile'), this.path('CAkeyFile')];
    const { force, caDays } = this.flags;
    if (!isWanted(cert, key, force)) {
      this.#tell(cert, 'kept');
      return;
    }
    const notAfter = new Date(Date.now() + caDays * DAY);
    const pair = await issueCertificate({
      commonName: `imageserver CA of ${hostname()}`,
      organization: 'imageserver',
      notBefore: new Date(Date.now() - 60_000),
      notAfter,
      ca: { pathLength: 0 },
    });
    makeDirectory(join(key, '..'), 0o700);
    writeNewFile({ path: key, text: pair.key, mode: 0o600 }, force);
    writeNewFile({ path: cert, text: pair.cert, mode: 0o644 }, force);
    this.#tell(cert, `made, until ${notAfter.toISOString().slice(0, 10)}`);
    this.#tell(key, 'made: whoever has it can issue certificates; better kept on another machine');
  }

  async server(): Promise<void> {
    const [cert, key] = [this.path('certFile'), this.path('keyFile')];
    const { force, days, host } = this.flags;
    if (!isWanted(cert, key, force)) {
      readKeyPair(cert, key);
      this.#tell(cert, 'kept');
      return;
    }
    const issuer = readAuthority(this.path('CAfile'), this.path('CAkeyFile'));
    const notAfter = lastDay(days, issuer);
    const hosts = serverHosts(host);
    const pair = await issueCertificate(
      {
        commonName: hostname(),
        notBefore: new Date(Date.now() - 60_000),
        notAfter,
        usages: ['server', 'client'],
        hosts,
        methods: REPLICA_METHODS,
      },
      issuer,
    );
    writeNewFile({ path: key, text: pair.key, mode: 0o600, owner: this.#owner }, force);
    writeNewFile({ path: cert, text: pair.cert, mode: 0o644, owner: this.#owner }, force);
    const beside = join(cert, '..', SERVER_CA_NAME);
    writeNewFile({ path: beside, text: issuer.cert, mode: 0o644, owner: this.#owner }, true);
    this.#tell(cert, `made for ${hosts.join(', ')}, until ${notAfter.toISOString().slice(0, 10)}`);
    this.#tell(key, 'made');
  }

  next(): void {
    const { username, root } = this.flags;
    const { out } = this.io;
    const prefix = root === '' ? '' : ` -root=${root}`;
    out('\nNext:');
    if (!this.#owner && root === '') {
      const places = [
        this.path('imageDir'),
        this.path('objectDir'),
        this.path('logDir'),
        this.path('keyFile'),
      ];
      out(`  useradd --system --home-dir ${this.path('imageDir')} ${username}`);
      out(`  chown ${username}: ${places.join(' ')}`);
    }
    out(
      `  imageserver certificate${prefix} -user=alice -methods='ImageServer.*,ObjectServer.*' -output ~/.ssl`,
    );
    const flags = root === '' ? '' : this.#daemonFlags();
    out(`  imageserver${flags}      (as user ${username}, or systemctl start imageserver)`);
    out('  imagetool list');
  }

  #daemonFlags(): string {
    const names = ['imageDir', 'objectDir', 'logDir', 'CAfile', 'certFile', 'keyFile'] as const;
    return [...names.map((name) => ` -${name}=${this.path(name)}`), ' -identityCAfile='].join('');
  }

  #tell(path: string, what: string): void {
    this.io.out(`${path}  ${what}`);
  }
}

async function run(flags: InitFlags, io: CommandIo): Promise<void> {
  const installation = new Installation(flags, io);
  try {
    installation.directories();
    await installation.authority();
    await installation.server();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    throw new CommandError(`${message}: run it as root, or say -root=DIR to try things out`, {
      cause: error,
    });
  }
  installation.next();
}

export function initCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runCommand(
    {
      name: 'init',
      summary: 'Makes data directories, a CA and a server certificate. What exists is kept.',
      flags: FLAGS,
      run,
    },
    args,
    io,
  );
}
