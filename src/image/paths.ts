/** Go's lexical path functions for names of images and directories. */

/** The shortest equivalent path: no empty or `.` components, `..` resolved where possible, no trailing slash. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push('..');
  }
  return (rooted ? '/' : '') + parts.join('/') || '.';
}

/** The directory of a name; `.` for names without a slash. */
export function parentDirectory(name: string): string {
  return cleanPath(name.slice(0, name.lastIndexOf('/') + 1));
}

/** The last component. */
export function baseName(path: string): string {
  if (path === '') return '.';
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
