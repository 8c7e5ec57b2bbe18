/** Triggers: which services to restart when paths change. Files of them are JSON arrays. */
import { ImageServerError } from '../errors.ts';
import type { Trigger, Triggers } from '../wire/messages/image.ts';
import { compileAnchored } from './filter.ts';
import { parseGoJson } from './go-json.ts';

function wrong(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', `error decoding triggers ${text}`);
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** One value of a field of a trigger; `null` leaves the field as it is. */
function fieldOf<T>(
  value: unknown,
  field: string,
  goType: string,
  accepts: (value: unknown) => value is T,
  zero: T,
): T {
  if (value === null || value === undefined) return zero;
  if (accepts(value)) return value;
  throw wrong(
    `json: cannot unmarshal ${typeName(value)} into Go struct field Trigger.${field} of type ${goType}`,
  );
}

const isString = (value: unknown) => typeof value === 'string';
const isBoolean = (value: unknown) => typeof value === 'boolean';
const isArray = (value: unknown) => Array.isArray(value);

function triggerOf(value: unknown): Trigger {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`json: cannot unmarshal ${typeName(value)} into Go value of type triggers.Trigger`);
  // Go matches the names of fields without regard to case.
  const fields = new Map(
    Object.entries(value).map(([name, one]): [string, unknown] => [name.toLowerCase(), one]),
  );
  const text = (name: string) => fieldOf(fields.get(name.toLowerCase()), name, 'string', isString, '');
  const flag = (name: string) => fieldOf(fields.get(name.toLowerCase()), name, 'bool', isBoolean, false);
  const lines: unknown[] = fieldOf(fields.get('matchlines'), 'MatchLines', '[]string', isArray, []);
  return {
    MatchLines: lines.map((line) => fieldOf(line, 'MatchLines', 'string', isString, '')),
    Service: text('Service'),
    SortName: text('SortName'),
    DoReboot: flag('DoReboot'),
    DoReload: flag('DoReload'),
    HighImpact: flag('HighImpact'),
  };
}

/** Reads a trigger file's text; its expressions are compiled, so that their author sees the error. Throws INVALID_REQUEST. */
export function parseTriggers(text: string): Triggers {
  let list: unknown;
  try {
    list = parseGoJson(text);
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', `error decoding triggers ${(cause as Error).message}`, {
      cause,
    });
  }
  if (list === null) return { Triggers: [] };
  if (!Array.isArray(list))
    throw wrong(`json: cannot unmarshal ${typeName(list)} into Go value of type []*triggers.Trigger`);
  const triggers = list.map(triggerOf);
  for (const trigger of triggers) for (const line of trigger.MatchLines) compileAnchored(line);
  return { Triggers: triggers };
}

/** Triggers of which at least one expression matches at the start of at least one path. */
export function matchingTriggers(triggers: Triggers, paths: Iterable<string>): Trigger[] {
  let open = triggers.Triggers.filter((one) => one !== null).map((trigger) => ({
    trigger,
    patterns: trigger.MatchLines.map(compileAnchored),
  }));
  const found = new Set<Trigger>();
  for (const path of paths) {
    if (open.length === 0) break;
    const left = open.filter(({ patterns }) => !patterns.some((pattern) => pattern.matcher(path).find()));
    if (left.length === open.length) continue;
    for (const one of open) if (!left.includes(one)) found.add(one.trigger);
    open = left;
  }
  return byService(found);
}

function byService(triggers: Iterable<Trigger>): Trigger[] {
  return [...triggers].sort((a, b) => Buffer.compare(Buffer.from(a.Service), Buffer.from(b.Service)));
}

/** One trigger for each service, with the lines of all and the strongest effects. */
export function mergeTriggers(lists: readonly Triggers[]): Triggers {
  const services = new Map<string, Trigger>();
  for (const { Triggers: list } of lists)
    for (const trigger of list) {
      if (!trigger) continue;
      const known = services.get(trigger.Service);
      services.set(
        trigger.Service,
        known
          ? {
              ...known,
              MatchLines: [...known.MatchLines, ...trigger.MatchLines],
              SortName: known.SortName || trigger.SortName,
              DoReboot: known.DoReboot || trigger.DoReboot,
              DoReload: known.DoReload || trigger.DoReload,
              HighImpact: known.HighImpact || trigger.HighImpact,
            }
          : trigger,
      );
    }
  const merged = [...services.values()].map((trigger) => ({
    ...trigger,
    MatchLines: [...new Set(trigger.MatchLines)].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    ),
  }));
  return { Triggers: byService(merged) };
}

/** The form of a trigger file: what is not set is left out. */
export function triggersText(triggers: readonly Trigger[]): string {
  const list = triggers.map(({ MatchLines, Service, SortName, DoReboot, DoReload, HighImpact }) => ({
    MatchLines,
    Service,
    ...(SortName && { SortName }),
    ...(DoReboot && { DoReboot }),
    ...(DoReload && { DoReload }),
    ...(HighImpact && { HighImpact }),
  }));
  // Go writes these characters of HTML as escapes.
  const text = JSON.stringify(list, undefined, 4);
  return `${text.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
