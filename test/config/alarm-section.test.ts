import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { DEFAULT_POLICY } from '../../gateway/alarm/policy.ts';
import { readPolicy } from '../../gateway/alarm/read-policy.ts';
import { alarmSection } from '../../gateway/config/alarm-section.ts';

const problems = (text: string): readonly string[] => {
  const result = alarmSection.safeParse(parse(text) as unknown);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('the section alarms', () => {
  it('has the defaults that hold before there is any, as text', () => {
    expect(alarmSection.parse(undefined)).toEqual(DEFAULT_POLICY);
    expect(alarmSection.parse({ quiet: {}, physiological: { high: {} }, technical: {} })).toEqual(DEFAULT_POLICY);
  });

  it('becomes a policy that the journal can carry', () => {
    const policy = alarmSection.parse(parse(`
      people:
        - { name: ann, roles: [nurse] }
        - { name: cho, roles: [doctor], access: clinician }
      physiological:
        high:
          levels:
            - { to: [nurse], within: 1min }
            - { to: [doctor, ann], within: 2min }
          latched: false
      technical: { highest: low, low: { delay: 10min } }
      quiet: { timeZone: Europe/Berlin, hours: [{ from: "22:00", until: "06:30", days: [fri, sat] }, { from: "13:00", until: "24:00" }], watchLimit: 5min }
      most: 64
    `));
    expect(policy).toEqual({
      ...DEFAULT_POLICY,
      people: [{ name: 'ann', roles: ['nurse'], access: 'caregiver' }, { name: 'cho', roles: ['doctor'], access: 'clinician' }],
      physiological: {
        ...DEFAULT_POLICY.physiological,
        high: { ...DEFAULT_POLICY.physiological.high, latched: false, levels: [{ to: ['nurse'], within: 60_000 }, { to: ['doctor', 'ann'], within: 120_000 }] },
      },
      technical: { ...DEFAULT_POLICY.technical, low: { ...DEFAULT_POLICY.technical.low, delay: 600_000 } },
      technicalHighest: 'low',
      quiet: {
        ...DEFAULT_POLICY.quiet, timeZone: 'Europe/Berlin', watchLimit: 300_000,
        hours: [{ from: 1320, until: 390, days: ['fri', 'sat'] }, { from: 780, until: 1440, days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] }],
      },
      most: 64,
    });
    // What they may do over HTTP is no matter of the journal.
    const people = [{ name: 'ann', roles: ['nurse'] }, { name: 'cho', roles: ['doctor'] }];
    expect(readPolicy(JSON.parse(JSON.stringify(policy)))).toEqual({ ...policy, people });
  });

  const table: readonly [what: string, text: string, problem: string][] = [
    ['an unknown key', 'siren: true', 'Unrecognized key'],
    ['a duration without unit', 'physiological: { high: { realarm: 10 } }', 'physiological.high.realarm: expected a duration'],
    ['a pause that is longer than the re-alarm time', 'physiological: { high: { snooze: 20min } }', "physiological.high.snooze: expected a duration not longer than 'realarm'"],
    ['a delay that is longer than the re-alarm time', 'technical: { low: { realarm: 1min, snooze: 0s, episode: 0s, levels: [{ within: 1min }] } }', "technical.low.delay: expected a duration not longer than 'realarm'"],
    ['a level that takes longer than the re-alarm time', 'physiological: { high: { levels: [{}, { within: 11min }] } }', "physiological.high.levels.1.within: expected a duration not longer than 'realarm'"],
    ['no level', 'physiological: { high: { levels: [] } }', 'physiological.high.levels: expected at least one level'],
    ['a level that tells nobody', 'physiological: { high: { levels: [{ to: [] }] } }', 'physiological.high.levels.0.to: expected at least one name or role'],
    ['a level that tells a stranger', 'physiological: { high: { levels: [{ to: [nurse] }] } }', "physiological.high.levels.0.to.0: 'nurse' is neither a name nor a role in 'people'"],
    ['a name that is used twice', 'people: [{ name: ann }, { name: ann }]', "people.1.name: name 'ann' is used twice"],
    ['a name that is a role', 'people: [{ name: ann, roles: [ben] }, { name: ben }]', "people.1.name: 'ben' is a role, too"],
    ['somebody called everyone', 'people: [{ name: everyone }]', "people.0.name: 'everyone' is a role, too"],
    ['a person without a name', 'people: [{ roles: [nurse] }]', 'people.0.name: expected a name'],
    ['an unknown priority', 'technical: { highest: utmost }', 'technical.highest: expected one of high, medium, low'],
    ['an unknown time zone', 'quiet: { timeZone: Europe/Atlantis }', 'quiet.timeZone: expected an IANA time zone'],
    ['quiet hours of no length', 'quiet: { timeZone: UTC, hours: [{ from: "22:00", until: "22:00" }] }', "quiet.hours.0: expected 'from' before 24:00"],
    ['quiet hours from the end of a day', 'quiet: { timeZone: UTC, hours: [{ from: "24:00", until: "06:00" }] }', "quiet.hours.0: expected 'from' before 24:00"],
    ['a time that no clock shows', 'quiet: { timeZone: UTC, hours: [{ from: "22:60", until: "06:00" }] }', 'quiet.hours.0.from: expected a time of the day'],
    ['a time as a number', 'quiet: { timeZone: UTC, hours: [{ from: 22, until: "06:00" }] }', 'quiet.hours.0.from: expected a time of the day'],
    ['a day there is not', 'quiet: { timeZone: UTC, hours: [{ from: "22:00", until: "06:00", days: [someday] }] }', 'quiet.hours.0.days.0: expected one of mon, tue'],
    ['hardly any room', 'most: 3', 'most: expected a whole number of alarms from 16 to 10000'],
  ];
  for (const [what, text, problem] of table) {
    it(`refuses ${what}, saying where`, () => expect(problems(text)).toEqual([expect.stringContaining(problem)]));
  }

  it('tells all problems at once', () => {
    expect(problems('people: [{ name: ann }, { name: ann }]\nphysiological: { high: { snooze: 20min } }\nmost: 3')).toHaveLength(3);
  });

  it('describes every setting, and refuses unknown keys everywhere', () => {
    type Node = Readonly<{ description?: string; properties?: Readonly<Record<string, Node>>; items?: Node; additionalProperties?: boolean }>;
    const all = (node: Node): readonly Node[] => [node, ...Object.values(node.properties ?? {}).flatMap(all), ...(node.items?.properties === undefined ? [] : Object.values(node.items.properties).flatMap(all))];
    const nodes = all(z.toJSONSchema(alarmSection, { io: 'input', target: 'draft-2020-12' }) as Node);
    expect(nodes.length).toBeGreaterThan(50);
    expect(nodes.filter(({ description = '' }) => description.length < 10)).toEqual([]);
    expect(nodes.filter(({ properties, additionalProperties }) => properties !== undefined && additionalProperties !== false)).toEqual([]);
  });
});
