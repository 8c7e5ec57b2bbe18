import { describe, expect, test } from 'bun:test';
import { parseGoJson } from './go-json.ts';
import { matchingTriggers, mergeTriggers, parseTriggers, triggersText } from './triggers.ts';

// What Go's decoder says.
const FAULTS: readonly [string, string][] = [
  ['', 'EOF'],
  ['xx', "invalid character 'x' looking for beginning of value"],
  ["['a']", "invalid character '\\'' looking for beginning of value"],
  ['[1,', 'unexpected EOF'],
  ['[{"a" 1}]', "invalid character '1' after object key"],
  ['tru\n', "invalid character '\\n' in literal true (expecting 'e')"],
  ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
  ['[1 2]', "invalid character '2' after array element"],
  ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
  ['["\\x"]', "invalid character 'x' in string escape code"],
  ['[01]', "invalid character '1' after array element"],
  ['[1.]', "invalid character ']' after decimal point in numeric literal"],
  ['["a\n', "invalid character '\\n' in string literal"],
  ['["a', 'unexpected EOF'],
  ['{"a":1} {', ''],
  ['{"a": [1e5, -0.5, "\\u00e9", {}, [], null, true, false]}', ''],
];

describe('JSON with the words of Go', () => {
  for (const [text, fault] of FAULTS)
    test(JSON.stringify(text), () => {
      if (fault) expect(() => parseGoJson(text)).toThrow(new Error(fault));
      else parseGoJson(text);
    });
});

describe('triggers', () => {
  const one = (text: string) => parseTriggers(text).Triggers;
  test('fields match without regard to case, unknown ones do not count', () => {
    expect(one('[{"service":"s","matchlines":["/e"],"x":1}] more')).toEqual([
      { MatchLines: ['/e'], Service: 's', SortName: '', DoReboot: false, DoReload: false, HighImpact: false },
    ]);
  });
  const refused: readonly [string, string][] = [
    ['{"a":1}', 'json: cannot unmarshal object into Go value of type []*triggers.Trigger'],
    ['[1]', 'json: cannot unmarshal number into Go value of type triggers.Trigger'],
    [
      '[{"MatchLines":3}]',
      'json: cannot unmarshal number into Go struct field Trigger.MatchLines of type []string',
    ],
    [
      '[{"MatchLines":[1]}]',
      'json: cannot unmarshal number into Go struct field Trigger.MatchLines of type string',
    ],
    [
      '[{"DoReboot":"x"}]',
      'json: cannot unmarshal string into Go struct field Trigger.DoReboot of type bool',
    ],
  ];
  for (const [text, message] of refused)
    test(text, () => expect(() => one(text)).toThrow(`error decoding triggers ${message}`));
  test('a bad expression is refused', () =>
    expect(() => one('[{"MatchLines":["/x("],"Service":"s"}]')).toThrow(
      'error parsing regexp: missing closing ): `^/x(`',
    ));

  test('matching, sorted by service', () => {
    const triggers = parseTriggers(
      '[{"MatchLines":["/etc/.*"],"Service":"zz"},{"MatchLines":["/no"],"Service":"b"},{"MatchLines":["/odd"],"Service":"aa"}]',
    );
    expect(matchingTriggers(triggers, ['/etc/x', '/a/no', '/odd/y']).map((found) => found.Service)).toEqual([
      'aa',
      'zz',
    ]);
  });
  test('merging', () => {
    const merged = mergeTriggers([
      parseTriggers('[{"MatchLines":["/b<&>","/a"],"Service":"x"}]'),
      parseTriggers('[{"MatchLines":["/a","/c","/a"],"Service":"x","HighImpact":true},{"Service":"empty"}]'),
    ]);
    expect(JSON.parse(triggersText(merged.Triggers as never))).toEqual([
      { MatchLines: [], Service: 'empty' },
      { MatchLines: ['/a', '/b<&>', '/c'], Service: 'x', HighImpact: true },
    ]);
    expect(triggersText(merged.Triggers as never)).toContain('/b\\u003c\\u0026\\u003e');
  });
});
