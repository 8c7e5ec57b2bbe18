import { describe, expect, test } from 'bun:test';
import { programCommand, runProgram } from '../../test/server.ts';
import { environmentArgs } from './environment.ts';

describe('variables of /etc/default/imageserver', () => {
  const cases: [string, Record<string, string>, string[]][] = [
    ['none', { HOME: '/root' }, []],
    ['empty ones', { IMAGE_SERVER_HOSTNAME: '', ARCHIVE_MODE: 'false', PROG_ARGS: ' ' }, []],
    ['a replica', { IMAGE_SERVER_HOSTNAME: 'master.example' }, ['-imageServerHostname=master.example']],
    [
      'an archiver with extra arguments',
      { ARCHIVE_MODE: '1', IMAGE_SERVER_HOSTNAME: 'm', PROG_ARGS: '-portNum=7000  -minFreeBytes=1G' },
      ['-portNum=7000', '-minFreeBytes=1G', '-archiveMode=true', '-imageServerHostname=m'],
    ],
    [
      'directories and log',
      { IMAGE_DIR: '/i', OBJECT_DIR: '/o', LOG_DIR: '/l', LOG_QUOTA: '1GiB', LOGBUF_LINES: '50' },
      ['-imageDir=/i', '-objectDir=/o', '-logDir=/l', '-logQuota=1GiB', '-logbufLines=50'],
    ],
  ];
  for (const [name, environment, args] of cases)
    test(name, () => expect(environmentArgs(environment)).toEqual(args));

  test('the daemon takes them, the command line wins', async () => {
    const run = (...args: string[]) =>
      runProgram([...programCommand('imageserver', true), '-allowRoot', ...args], {
        env: { ARCHIVE_MODE: 'true', OBJECT_DIR: '/nonexistent/objects' },
      });
    // An archiver needs a master.
    const refused = await run('-logDir=');
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain('replication master required in archive mode');
    const other = await run('-logDir=', '-archiveMode=false', '-permitInsecureMode', '-CAfile=');
    expect(other.stderr).toContain('/nonexistent/objects');
  });
});
