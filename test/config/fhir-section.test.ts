import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fhirSection } from '../../gateway/config/fhir-section.ts';

function problems(text: string): readonly string[] {
  const result = fhirSection.safeParse(parse(text));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the section fhir', () => {
  it('lets the staff read, and gives to nobody, unless it says so', () => {
    expect(fhirSection.parse(undefined)).toEqual({ api: true, push: [] });
    expect(fhirSection.parse(parse('push: [{ name: ehr, url: "https://ehr.example/fhir/" }]')).push).toEqual([{
      name: 'ehr', url: 'https://ehr.example/fhir', purpose: 'TREAT', what: ['Observation', 'DetectedIssue', 'Communication', 'Provenance'], summaries: 'minute', timeout: 60_000, retryCap: 300_000,
    }]);
  });

  it('takes a token, or client credentials', () => {
    expect(problems('push: [{ name: a, url: "http://127.0.0.1:8080/fhir", tokenFile: t }, { name: b, url: "http://[::1]:1", oauth: { tokenUrl: "https://id.example/token", client: c, secretFile: s, scope: "system/*.write" } }]')).toEqual([]);
  });

  const place = 'name: a, url: "https://ehr.example"';
  it.each([
    ['push: [{ name: a }]', /^push\.0\.url: expected an http or https address/],
    [`push: [{ ${place} }, { ${place} }]`, "push.1.name: server name 'a' is used twice"],
    ['push: [{ name: a, url: "http://ehr.example/fhir" }]', 'push.0.url: expected an https address; http only on the same machine'],
    ['push: [{ name: a, url: "http://localhost.evil.example/fhir" }]', 'push.0.url: expected an https address; http only on the same machine'],
    ['push: [{ name: a, url: "http://127.0.0.1.evil.example/fhir" }]', 'push.0.url: expected an https address; http only on the same machine'],
    ['push: [{ name: a, url: "https://user:pw@ehr.example" }]', /^push\.0\.url/],
    [`push: [{ ${place}, oauth: { tokenUrl: "http://id.example", client: c, secretFile: s } }]`, 'push.0.oauth.tokenUrl: expected an https address; http only on the same machine'],
    [`push: [{ ${place}, tokenFile: t, oauth: { tokenUrl: "https://id.example", client: c, secretFile: s } }]`, "push.0.oauth: expected either 'tokenFile' or 'oauth'"],
    [`push: [{ ${place}, what: [] }]`, /^push\.0\.what: expected at least one/],
    [`push: [{ ${place}, what: [Patient] }]`, /^push\.0\.what\.0: expected one of Observation/],
    [`push: [{ ${place}, purpose: FUN }]`, /^push\.0\.purpose: expected one of TREAT/],
    [`push: [{ ${place}, summaries: hour }]`, /^push\.0\.summaries: expected one of minute, quarter, all/],
    ['api: maybe', 'api: expected true or false'],
    ['colour: red', /^: /],
  ])('refuses %s', (text, problem) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    if (typeof problem === 'string') expect(found[0]).toBe(problem);
    else expect(found[0]).toMatch(problem);
  });
});
