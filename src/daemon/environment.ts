/**
 * The variables of the original's /etc/default/imageserver, for service managers that read such a file into the
 * environment (`EnvironmentFile=`). They stand for flags, as they did in its start script.
 */

const FLAGS = {
  IMAGE_DIR: 'imageDir',
  OBJECT_DIR: 'objectDir',
  LOG_DIR: 'logDir',
  LOG_QUOTA: 'logQuota',
  LOGBUF_LINES: 'logbufLines',
  IMAGE_SERVER_HOSTNAME: 'imageServerHostname',
} as const;

/** Arguments to be put before those of the command line, which win. */
export function environmentArgs(environment: Readonly<Record<string, string | undefined>>): string[] {
  const args = (environment.PROG_ARGS ?? '').split(/\s+/).filter((word) => word !== '');
  if (/^(true|1)$/.test(environment.ARCHIVE_MODE ?? '')) args.push('-archiveMode=true');
  for (const [variable, flag] of Object.entries(FLAGS)) {
    const value = environment[variable];
    if (value) args.push(`-${flag}=${value}`);
  }
  return args;
}
