import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { linksSection } from '../../gateway/config/links-section.ts';

function problems(text: string): readonly string[] {
  const result = linksSection.safeParse(parse(text));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the section links', () => {
  it('has defaults by what bytes cost', () => {
    expect(linksSection.parse(undefined)).toEqual([]);
    expect(linksSection.parse(parse(`
      - { name: ethernet, interface: eth0 }
      - { name: 5g, interface: wwan0, metered: true, budget: { day: 10MB, month: 200MB } }
      - { name: backup, address: 192.0.2.7, metered: true, carries: alarm, probe: 1h }
    `))).toEqual([
      { name: 'ethernet', interface: 'eth0', carries: 'detail', budget: { reserved: 0.1 }, probe: 3000 },
      { name: '5g', interface: 'wwan0', carries: 'record', budget: { day: 10e6, month: 200e6, reserved: 0.1 }, probe: 300_000 },
      { name: 'backup', address: '192.0.2.7', carries: 'alarm', budget: { reserved: 0.1 }, probe: 3_600_000 },
    ]);
  });

  it.each([
    ['- { name: a }', "0: expected one of 'interface' and 'address'"],
    ['- { name: a, interface: eth0, address: 192.0.2.1 }', "0.address: expected only one of 'interface' and 'address'"],
    ['- { name: a, interface: eth0, carries: everything }', /^0\.carries: expected .*alarm.*record.*detail/],
    ['- { name: a, interface: eth0, budget: { day: 1KB } }', /^0\.budget\.day: /],
    ['- { name: a, interface: eth0, budget: { reserved: 2 } }', /^0\.budget\.reserved: /],
    ['- { name: a, address: eth0 }', /^0\.address: expected .*address/],
    ['- { name: a, interface: eth0, probe: never }', /^0\.probe: /],
    ['- { name: a, interface: eth0 }\n- { name: a, interface: eth1 }', /link name/],
    ['- { name: a, interface: eth0 }\n- { name: b, interface: eth0 }', /link interface/],
    ['- { name: a, address: 192.0.2.1 }\n- { name: b, address: 192.0.2.1 }', /link address/],
    ['eth0', /expected a list of links/],
  ])('refuses %s', (text, expected) => {
    expect(problems(text)).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)]);
  });
});
