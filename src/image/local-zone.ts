/** The zone of this process by the rules of Go: TZ, else /etc/localtime; UTC if there is no such zone. */
import { readFileSync } from 'node:fs';
import { parseZone, UTC, type Zone } from './zone.ts';

const DIRECTORIES = [
  '/usr/share/zoneinfo/',
  '/usr/share/lib/zoneinfo/',
  '/usr/lib/locale/TZ/',
  '/etc/zoneinfo/',
];

function readZone(file: string): Zone | undefined {
  try {
    return parseZone(readFileSync(file));
  } catch {
    // No such zone here: the caller tries the next place, and UTC in the end.
    return undefined;
  }
}

/** A zone by its IANA name; undefined if the system does not know it. */
export function zoneByName(name: string): Zone | undefined {
  if (name === '' || name === 'UTC') return UTC;
  if (name.includes('..')) return undefined;
  for (const directory of DIRECTORIES) {
    const zone = readZone(directory + name);
    if (zone) return zone;
  }
  return undefined;
}

export function localZone(setting: string | undefined = process.env.TZ): Zone {
  if (setting === undefined) return readZone('/etc/localtime') ?? UTC;
  const name = setting.replace(/^:/, '');
  return (name.startsWith('/') ? readZone(name) : zoneByName(name)) ?? UTC;
}
