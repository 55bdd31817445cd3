import { describe, expect, it } from 'vitest';
import { parsePack } from '../../gateway/config/pack.ts';
import { mistakesIn, wordingOf } from '../../gateway/context/contract.ts';
import { ConfigError } from '../../gateway/errors.ts';

const GOOD = `pack: night-watch
version: 3
description: For one person who sleeps at home
rules:
  - id: low-oxygen
    when: spo2 < 92 && activity != "walk"
    clear: spo2 >= 94
    unless: minutes_since("spo2") > 2
    for: 40s
    clearFor: 20s
    priority: high
    message: "SpO2 {spo2} % < 92 % for {for}, {activity}, {room}"
    source: "NEWS2 (RCP 2017), SpO2 scale 1"
`;
const parse = (text: string): ReturnType<typeof parsePack> => parsePack(text, 'pack.yaml', { mistakesIn });

function problemsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n').slice(1).map((each) => each.trim());
    throw error;
  }
  return [];
}
const changed = (from: string, to: string): string[] => problemsOf(GOOD.replace(from, to));

describe('a rule pack', () => {
  it('is read with every default filled in and durations in milliseconds', () => {
    expect(parse(GOOD)).toEqual({
      pack: 'night-watch', version: 3, description: 'For one person who sleeps at home',
      rules: [{
        id: 'low-oxygen', when: 'spo2 < 92 && activity != "walk"', clear: 'spo2 >= 94', unless: 'minutes_since("spo2") > 2', for: 40_000, clearFor: 20_000, atMostEvery: 0,
        priority: 'high', kind: 'physiological', message: 'SpO2 {spo2} % < 92 % for {for}, {activity}, {room}', source: 'NEWS2 (RCP 2017), SpO2 scale 1',
      }],
    });
  });

  const wrong: readonly [what: string, from: string, to: string, problem: string | RegExp][] = [
    ['a measurement nobody has', 'spo2 < 92', 'sp02 < 92', 'pack.yaml:6:11: rules[0].when: Unknown variable: sp02, at "sp02"'],
    ['a limit in another unit', 'spo2 < 92', 'spo2 < 0.92', /pack\.yaml:6:11: rules\[0\]\.when: spo2 is from 30 to 100 %/],
    ['a condition that is no CEL', 'spo2 >= 94', 'spo2 => 94', /pack\.yaml:7:12: rules\[0\]\.clear: /],
    ['an activity nobody has', '"walk"', '"walking"', /pack\.yaml:6:11: rules\[0\]\.when: an activity is one of walk, rest, sleep, unknown, at ""walking""/],
    ['a place in the message for nothing', '{room}', '{roof}', 'pack.yaml:12:14: rules[0].message: {roof} is no measurement, no name of the vocabulary and none of {for}, {activity}, {room}'],
    ['a mistyped key', 'clearFor', 'cleerFor', "pack.yaml:10:5: unknown key 'cleerFor' at line 10; did you mean 'clearFor'?"],
    ['values that are never fresh', 'for: 40s', 'for: 40s\n    fresh: 0s', /pack\.yaml:10:12: rules\[0\]\.fresh: expected a duration/],
    ['a kind of room nobody has', 'spo2 < 92', 'room_kind == "roof"', /rules\[0\]\.when: room_kind is one of bedroom, bathroom, kitchen, living_room, hall, other/],
    ['a score nobody reaches', 'spo2 < 92', 'news2 > 21', /rules\[0\]\.when: news2 is from 0 to 20/],
    ['a word where a number belongs', 'spo2 < 92', 'news2_red > 3', /rules\[0\]\.when: no such overload/],
    ['a duration without unit', 'for: 40s', 'for: 40', /pack\.yaml:9:10: rules\[0\]\.for: expected a duration/],
    ['no source', '    source: "NEWS2 (RCP 2017), SpO2 scale 1"\n', '', /rules\[0\]\.source: missing/],
    ['no rules', GOOD.slice(GOOD.indexOf('rules:')), 'rules: []\n', /rules: expected at least one rule/],
  ];
  it.each(wrong)('with %s is refused, with the line', (_, from, to, problem) => {
    expect(changed(from, to)).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  });

  it('tells all of its problems together', () => {
    const twice = `${GOOD}${GOOD.slice(GOOD.indexOf('  - id'))}`.replace('spo2 < 92', 'spo2 < "92"');
    expect(problemsOf(twice)).toEqual([expect.stringMatching(/:6:11: .*no such overload/), expect.stringMatching(/:14:9: .*rule id 'low-oxygen' is used twice/)]);
  });

  it('says what decided in its message, and a question mark where nobody knows', () => {
    const [rule] = parse(GOOD).rules;
    const fill = (place: string): string | undefined => ({ spo2: '88', for: '40 s', activity: 'rest' })[place];
    expect(wordingOf(rule ?? { message: '' }, fill)).toBe('SpO2 88 % < 92 % for 40 s, rest, ?');
  });
});
