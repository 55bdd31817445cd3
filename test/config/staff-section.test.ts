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

describe('the names of gateways in the configuration of a hospital', () => {
  const [first, second] = ['0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', '02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5'];
  const namesIn = (names: string): unknown => parseConfig(`upstream: { gateways: open, gatewayNames: ${names} }`, 'c.yaml').upstream?.gatewayNames;

  it('belong to one key each', () => {
    expect(namesIn(`[{ key: "${first}", name: kit-1 }, { key: "${second}", name: kit-2 }]`)).toEqual([{ key: first, name: 'kit-1' }, { key: second, name: 'kit-2' }]);
    for (const [names, problem] of [
      [`[{ key: "${first}", name: kit-1 }, { key: "${first}", name: kit-2 }]`, 'is used twice'], [`[{ key: "${first}", name: kit-1 }, { key: "${second}", name: kit-1 }]`, "name 'kit-1' is used twice"],
      ['[{ key: "02ab", name: kit-1 }]', 'expected a compressed secp256k1 public key'], [`[{ key: "${first}", name: "Anna's flat" }]`, 'expected a name of 1 to 64 of the characters'],
    ] as const) expect(() => namesIn(names)).toThrow(problem);
  });
});
