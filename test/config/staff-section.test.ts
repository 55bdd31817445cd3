import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../gateway/config/load.ts';
import { ConfigError } from '../../gateway/errors.ts';

const peopleIn = (people: string): unknown => parseConfig(`upstream: { gateways: open, people: ${people} }`, 'c.yaml').upstream?.people;

describe('the staff of a hospital in the configuration', () => {
  it('has names and roles', () => {
    expect(peopleIn('[{ name: otto, role: administrator }, { name: cho, role: clinician }]')).toEqual([{ name: 'otto', access: 'administrator' }, { name: 'cho', access: 'clinician' }]);
  });

  it('must say who it is once, and in words that are known', () => {
    for (const [people, problem] of [
      ['[{ name: otto, role: viewer }, { name: otto, role: clinician }]', "name 'otto' is used twice"],
      ['[{ name: otto, role: chief }]', 'expected one of viewer, caregiver, clinician, administrator'],
      ['[{ name: otto }]', 'expected one of viewer, caregiver, clinician, administrator'],
      ['[{ name: "otto the great", role: viewer }]', 'expected a name of 1 to 64 of the characters'],
      ['otto', 'expected a list of people'],
    ] as const) {
      expect(() => peopleIn(people)).toThrow(ConfigError);
      expect(() => peopleIn(people)).toThrow(problem);
    }
  });
});
