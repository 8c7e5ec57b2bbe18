/** `imageserver unit`: the unit that runs the server under systemd, with what each line of the sandbox is for. */
import { existsSync } from 'node:fs';
import { type FlagValues, flag, stringFlag } from '../../flags/flags.ts';
import { CommandError, type CommandIo, runCommand } from './command.ts';

const FLAGS = {
  executable: flag(stringFlag, process.execPath, 'The installed executable'),
  username: flag(stringFlag, 'imageserver', 'User that the server runs as'),
  imageDir: flag(stringFlag, '/var/lib/imageserver', 'Image directory'),
  objectDir: flag(stringFlag, '/var/lib/objectserver', 'Object directory'),
  logDir: flag(stringFlag, '/var/log/imageserver', 'Log directory'),
} as const;
type UnitFlags = FlagValues<typeof FLAGS>;

/** A word of a unit: systemd takes `%` and quotes for its own. */
function word(text: string): string {
  const safe = text.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return /[\s"'\\;]/.test(safe) ? `"${safe}"` : safe;
}

/** Only what differs from the defaults of the server is said on its command line. */
function commandLine(flags: UnitFlags): string {
  const places = (['imageDir', 'objectDir', 'logDir'] as const)
    .filter((name) => flags[name] !== FLAGS[name].value)
    .map((name) => word(`-${name}=${flags[name]}`));
  return [word(flags.executable), ...places].join(' ');
}

export function unitText(flags: UnitFlags): string {
  const { imageDir, objectDir, logDir, username } = flags;
  return `# Printed by "imageserver unit". Changes of your own: systemctl edit imageserver
[Unit]
Description=Image server
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target local-fs.target
# An unmounted disk must not look like an empty server.
RequiresMountsFor=${[imageDir, objectDir, logDir].map(word).join(' ')}

[Service]
# Ready when the port is open; /readiness says when everything has been read.
Type=notify
NotifyAccess=main
User=${username}
# The variables of the original's package, if the file is there; -name=value flags may stand in PROG_ARGS.
EnvironmentFile=-/etc/default/imageserver
ExecStart=${commandLine(flags)}
# Certificates, keys and CA files are read again.
ExecReload=kill -HUP $MAINPID
Restart=on-failure
RestartSec=2s
# Longer than -shutdownTimeout (30s): calls under way are finished.
TimeoutStopSec=45s
# An event loop that stands still that long is restarted.
WatchdogSec=60s
# -maximumConnections (10000), the files they read, and the log.
LimitNOFILE=65536

# Only these can be written.
ProtectSystem=strict
ReadWritePaths=${[imageDir, objectDir, logDir].map(word).join(' ')}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
# No rights beyond the user's, now or through a setuid program.
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictSUIDSGID=yes
# The kernel and the machine are none of its business.
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
# IP for clients and the master, UNIX for the service manager.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute is not possible: the runtime compiles code while it runs.

[Install]
WantedBy=multi-user.target
`;
}

async function run(flags: UnitFlags, io: CommandIo): Promise<void> {
  for (const name of ['executable', 'imageDir', 'objectDir', 'logDir'] as const)
    if (!flags[name].startsWith('/'))
      throw new CommandError(`-${name} must be an absolute path: ${flags[name]}`);
  if (!existsSync(flags.executable))
    throw new CommandError(`there is no ${flags.executable}: install it first`);
  io.out(unitText(flags).trimEnd());
}

export function unitCommand(args: readonly string[], io: CommandIo): Promise<number> {
  return runCommand(
    {
      name: 'unit',
      summary: 'Prints a unit for systemd: imageserver unit > /etc/systemd/system/imageserver.service',
      flags: FLAGS,
      run,
    },
    args,
    io,
  );
}
