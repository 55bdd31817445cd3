import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAsk } from '../../gateway/flows/asks.ts';
import { SCHEMAS } from '../../gateway/flows/schemas.ts';

const RAISE = { ask: 'raise', subject: { kind: 'patient', id: 'anna' }, name: 'fall', priority: 'high', message: 'Anna fell' };
const mistakesIn = (value: unknown): readonly string[] => {
  const read = readAsk(value);
  return 'mistakes' in read ? read.mistakes : [];
};

describe('an ask', () => {
  it('is read with its durations in milliseconds', () => {
    expect(readAsk({ ...RAISE, chain: [{ to: ['daughter'], within: '2min' }] })).toEqual({ ask: { ...RAISE, chain: [{ to: ['daughter'], within: 120_000 }] } });
  });

  it.each([
    [{ ...RAISE, message: '' }, 'message: expected 1 to 500 characters without control characters'],
    [{ ...RAISE, message: 'a\u202eb' }, 'message: expected 1 to 500 characters without control characters'],
    [{ ...RAISE, subject: { kind: 'bed', id: 'anna' } }, 'subject.kind: expected patient or room'],
    [{ ...RAISE, subject: undefined }, 'subject: expected {"kind": "patient" or "room", "id": …}'],
    [{ ...RAISE, chain: [] }, 'chain: expected at least one level'],
    [{ ...RAISE, chain: [{ to: ['a'], within: '1ms' }] }, 'chain.0.within: expected a duration from 1s to 7d such as "2min"'],
    [{ ask: 'simulate', patient: 'testa', values: { spo2: 'low' } }, 'values.spo2: expected a number'],
    [{ ask: 'notified', alarm: 1, step: 1, person: 'a', channel: 'sms', outcome: 'ok' }, 'outcome: expected handed_over, failed or skipped'],
    [{ ...RAISE, extra: 1 }, 'the body: "extra" is unknown here'],
    [{ ask: 'acknowledge', alarm: null, revision: null }, 'alarm: expected a number; null is for a dry run'],
    [{ ...RAISE, dryRun: 'yes' }, 'dryRun: expected true or false'],
    ['raise', 'the body: expected an object'],
    [{}, 'ask: expected one of raise, clear, acknowledge, snooze, escalate, note, context, simulate, notified, tell'],
    [{ ask: 'tell', by: 'pigeon', text: 'x' }, 'by: expected email, sms, buzzer or command'],
    [{ ask: 'tell', by: 'sms', to: 'a', text: 'x', within: '3min' }, 'within: expected a duration from 1s to 2min such as "30s"'],
    [{ ask: 'tell', by: 'email', to: 'a', text: 'x', title: 'a\nBcc: b' }, 'title: expected one line'],
  ])('that is wrong is told what was expected: %j', (value, message) => {
    expect(mistakesIn(value)).toContain(message);
  });

  it('says every mistake at once', () => {
    expect(mistakesIn({ ask: 'acknowledge', alarm: 'x', revision: -1 })).toHaveLength(2);
  });

  it('never throws, whatever came', () => {
    fc.assert(fc.property(fc.oneof(fc.anything(), fc.record({ ask: fc.constantFrom('raise', 'escalate', 'note', 'simulate'), subject: fc.anything(), name: fc.anything(), chain: fc.anything(), values: fc.anything(), text: fc.anything() })), (value) => {
      const read = readAsk(value);
      return 'ask' in read || (read.mistakes.length > 0 && read.mistakes.every((each) => each.length > 0));
    }));
  });
});

describe('the contract', () => {
  it.each(['messages', 'asks'] as const)('stands in the repository as it is judged: %s', (name) => {
    const file = join(import.meta.dirname, `../../gateway/flows/schemas/${name}.schema.json`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(SCHEMAS[name])));
  });
});
