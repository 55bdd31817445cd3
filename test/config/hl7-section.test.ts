import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hl7Section } from '../../gateway/config/hl7-section.ts';

function problems(text: string): readonly string[] {
  const result = hl7Section.safeParse(parse(text));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the section hl7', () => {
  it('has defaults that flood no engine and ask as IHE PCD does', () => {
    expect(hl7Section.parse(undefined)).toEqual([]);
    expect(hl7Section.parse(parse('[{ name: engine, address: "engine.example:2575" }]'))).toEqual([{
      name: 'engine', address: { host: 'engine.example', port: 2575 }, sendingApplication: 'VITALGATE', processing: 'P', purpose: 'TREAT', what: ['alarms', 'observations'],
      leastPriority: 'low', summaries: 'quarter', rooms: true, acknowledgement: 'application', timeout: 20_000, connectTimeout: 10_000, retries: 3, retryBase: 1000, retryCap: 60_000,
    }]);
  });

  it('takes what an engine wants to have', () => {
    expect(hl7Section.parse(parse(`
      - name: pager
        address: 192.0.2.7:6661
        tls: { caFile: /etc/engine.pem, certificateFile: own.crt, keyFile: own.key }
        sendingFacility: St. Mary | Ward 3
        receivingApplication: ENGINE
        processing: T
        purpose: HRESCH/heart-2030
        what: [alarms, alarms]
        leastPriority: high
        rooms: false
        acknowledgement: both
        timeZone: Europe/Berlin
    `))).toMatchObject([{
      tls: { caFile: '/etc/engine.pem', certificateFile: 'own.crt', keyFile: 'own.key' }, sendingFacility: 'St. Mary | Ward 3', processing: 'T', purpose: 'HRESCH/heart-2030', what: ['alarms'],
      leastPriority: 'high', rooms: false, acknowledgement: 'both', timeZone: 'Europe/Berlin',
    }]);
  });

  const place = 'name: a, address: "127.0.0.1:1"';
  it.each([
    ['- { name: a }', /^0\.address: expected host:port/],
    ['- { address: "127.0.0.1:1" }', /^0\.name: expected a name/],
    [`- { ${place} }\n- { ${place} }`, "1.name: destination name 'a' is used twice"],
    [`- { ${place}, tls: { certificateFile: x } }`, "0.tls.certificateFile: expected both 'certificateFile' and 'keyFile', or neither"],
    [`- { ${place}, tls: { keyFile: x } }`, "0.tls.keyFile: expected both 'certificateFile' and 'keyFile', or neither"],
    [`- { ${place}, retryBase: 10s, retryCap: 1s }`, "0.retryCap: expected a duration not shorter than 'retryBase'"],
    [`- { ${place}, what: [] }`, '0.what: expected at least one of alarms and observations'],
    [`- { ${place}, what: [waveforms] }`, /^0\.what\.0: expected one of alarms, observations/],
    [`- { ${place}, purpose: FUN }`, /^0\.purpose: expected one of TREAT/],
    [`- { ${place}, acknowledgement: none }`, /^0\.acknowledgement: expected one of application, commit, both, original/],
    [`- { ${place}, timeout: 20 }`, /^0\.timeout: expected a duration/],
    [`- { ${place}, receivingFacility: "a\\rMSH" }`, /^0\.receivingFacility: expected a name of 1 to 180 characters on one line/],
    ['engine', /expected a list of destinations/],
  ])('refuses %s', (text, expected) => {
    expect(problems(text)).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)]);
  });
});
