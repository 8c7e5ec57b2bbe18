/** The groups of the operating system. */
import { readFileSync } from 'node:fs';

/** Whether the system knows a group. Asks the name service, which may know more than /etc/group. */
export function groupExists(name: string): boolean {
  if (name === '' || /[:\n\0]/.test(name) || name.startsWith('-')) return false;
  const listed = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .some((line) => line.slice(0, line.indexOf(':')) === name);
  if (listed) return true;
  const getent = Bun.which('getent');
  return getent !== null && Bun.spawnSync([getent, 'group', name]).exitCode === 0;
}
