/**
 * Reads a recording of system calls (`strace -f -yy`) and says what was not durable yet at each answer to a client: files
 * written and not synced, directories with new names and not synced.
 */

export interface Finding {
  /** The answer's system call. */
  readonly answer: string;
  readonly undurable: readonly string[];
}

interface Step {
  readonly name: string;
  readonly text: string;
  readonly from: number;
  until: number;
}

const LINE = /^(\d+) +([a-z0-9_]+)\((.*)$/;
const RESUMED = /^(\d+) +<\.\.\. ([a-z0-9_]+) resumed>(.*)$/;

/** Calls in the order in which they ended, with the line at which each began. Failed ones are left out. */
function stepsOf(lines: readonly string[]): Step[] {
  const open = new Map<string, { name: string; text: string; from: number }>();
  const steps: Step[] = [];
  const failed = (text: string) => / = -1 E[A-Z]+/.test(text);
  lines.forEach((line, index) => {
    const resumed = RESUMED.exec(line);
    if (resumed) {
      const [, pid = '', name = '', rest = ''] = resumed;
      const begun = open.get(pid);
      open.delete(pid);
      if (begun?.name === name && !failed(rest))
        steps.push({ name, text: begun.text + rest, from: begun.from, until: index });
      return;
    }
    const [, pid = '', name = '', text = ''] = LINE.exec(line) ?? [];
    if (name === '') return;
    if (text.endsWith('<unfinished ...>')) open.set(pid, { name, text, from: index });
    else if (!failed(text)) steps.push({ name, text, from: index, until: index });
  });
  return steps;
}

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
/** First path in quotes, or all. */
const quoted = (text: string) => [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = '']) => path);
const descriptor = (text: string) => /^\d+<(\w+:\[[^\]]*\]|[^>]*)>/.exec(text)?.[1] ?? '';

/** `matters`: paths that must be durable. `port`: the server's. */
export function undurableAnswers(
  recording: string,
  port: number,
  matters: (path: string) => boolean,
): { answers: number; syncs: number; findings: Finding[] } {
  /** Path → line since when it is not durable. */
  const dirty = new Map<string, number>();
  const findings: Finding[] = [];
  let answers = 0;
  let syncs = 0;
  const touch = (path: string, at: number) => {
    if (matters(path)) dirty.set(path, at);
  };
  const settle = (is: (path: string) => boolean, from: number) => {
    syncs++;
    for (const [path, since] of dirty) if (since < from && is(path)) dirty.delete(path);
  };
  for (const { name, text, from, until } of stepsOf(recording.split('\n'))) {
    const target = descriptor(text);
    if (/^(write|writev|pwrite64|pwritev|sendto|sendmsg|sendfile|ftruncate|copy_file_range)$/.test(name)) {
      if (target.startsWith('/')) touch(target, until);
      else if (target.startsWith('TCP') && target.includes(`:${port}->`)) {
        answers++;
        const undurable = [...dirty.keys()];
        if (undurable.length > 0) findings.push({ answer: `${name}(${text}`.slice(0, 120), undurable });
      }
    } else if (name === 'fsync' || name === 'fdatasync') settle((path) => path === target, from);
    else if (name === 'syncfs') settle(() => true, from);
    else if (/^(mkdir|mkdirat|unlink|unlinkat|rmdir)$/.test(name)) {
      const path = quoted(text)[0] ?? '';
      dirty.delete(path);
      touch(directoryOf(path), until);
    } else if (/^(rename|renameat|renameat2|link|linkat)$/.test(name)) {
      const [source = '', path = ''] = quoted(text);
      const since = dirty.get(source);
      if (name.startsWith('rename')) {
        dirty.delete(source);
        touch(directoryOf(source), until);
      }
      dirty.delete(path);
      if (since !== undefined) touch(path, since);
      touch(directoryOf(path), until);
    } else if (/^(open|openat|creat)$/.test(name) && text.includes('O_CREAT')) {
      const path = quoted(text)[0] ?? '';
      touch(path, until);
      touch(directoryOf(path), until);
    } else if (name === 'truncate') touch(quoted(text)[0] ?? '', until);
  }
  return { answers, syncs, findings };
}
