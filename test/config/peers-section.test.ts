import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { peersSection } from '../../gateway/config/peers-section.ts';

const KEY = '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
const OTHER = '02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5';

function problems(text: string): readonly string[] {
  const result = peersSection.safeParse(parse(text));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the section peers', () => {
  it('has defaults', () => {
    expect(peersSection.parse(undefined)).toEqual([]);
    expect(peersSection.parse(parse(`
      - { name: south, url: "https://south.example:9090/", key: "${KEY}" }
      - { name: west, url: "https://192.0.2.1:9090", key: "${OTHER}", copy: all, every: 1min, parallel: 8, budget: 10GiB, caFile: ca.pem }
    `))).toEqual([
      { name: 'south', url: 'https://south.example:9090', key: KEY, copy: 'own', every: 10_000, parallel: 4 },
      { name: 'west', url: 'https://192.0.2.1:9090', key: OTHER, copy: 'all', every: 60_000, parallel: 8, budget: 10 * 1024 ** 3, caFile: 'ca.pem' },
    ]);
  });

  it.each([
    [`- { name: a, url: "https://a.example" }`, /^0\.key: expected a compressed secp256k1 public key/],
    [`- { name: a, url: "ftp://a.example", key: "${KEY}" }`, /^0\.url: expected an http or https address/],
    [`- { name: a, url: "https://u:p@a.example", key: "${KEY}" }`, /^0\.url: /],
    [`- { name: a, url: "https://a.example", key: "${KEY}", copy: some }`, /^0\.copy: expected one of own, all/],
    [`- { name: a, url: "https://a.example", key: "${KEY}", every: 10ms }`, /^0\.every: /],
    [`- { name: a, url: "https://a.example", key: "${KEY}", parallel: 0 }`, /^0\.parallel: /],
    [`- { name: a, url: "https://a.example", key: "${KEY}", trust: true }`, /trust/],
    [`- { name: a, url: "https://a.example", key: "${KEY}" }\n- { name: b, url: "https://b.example", key: "${KEY}" }`, /peer key/],
    [`- { name: a, url: "https://a.example", key: "${KEY}" }\n- { name: a, url: "https://b.example", key: "${OTHER}" }`, /peer name/],
    ['south', /expected a list of peers/],
  ])('refuses %s', (text, expected) => {
    expect(problems(text)).toEqual([expect.stringMatching(expected)]);
  });
});
