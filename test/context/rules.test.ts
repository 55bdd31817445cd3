import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES } from '../../gateway/config/default-rules.ts';
import { applyRules, EMPTY_CONTEXT, PRIORITIES, readRules, type SubjectContext, type ThresholdRule } from '../../gateway/context/rules.ts';
import type { Reading } from '../../gateway/reading.ts';

const high: ThresholdRule = {
  id: 'high', measurement: 'heart_rate', above: 130, clearAt: 120, priority: 'high', wording: 'fast', source: 'test',
};
const low: ThresholdRule = {
  id: 'low', measurement: 'heart_rate', below: 40, clearAt: 45, priority: 'medium', wording: 'slow', source: 'test',
};
const pulse = (value: number): Reading => ({ measurement: 'heart_rate', value, unit: '/min' });

/** What a row of values changes, as `rule phase value limit`. */
function follow(values: readonly number[], rules: readonly ThresholdRule[] = [high, low]): string[] {
  let context = EMPTY_CONTEXT;
  return values.flatMap((value) => {
    const applied = applyRules(context, pulse(value), rules);
    context = applied.context;
    return applied.findings.map(({ rule, phase, value: seen, limit }) => `${rule.id} ${phase} ${seen} ${limit}`);
  });
}

describe('hysteresis', () => {
  const table: readonly [name: string, values: readonly number[], findings: readonly string[]][] = [
    ['is raised beyond its limit, not at it', [130, 130.5], ['high raised 130.5 130']],
    ['is raised once', [131, 140, 135, 131], ['high raised 131 130']],
    ['stays raised between limit and clearing value', [131, 125, 121, 120.5], ['high raised 131 130']],
    ['is cleared at its clearing value', [131, 120], ['high raised 131 130', 'high cleared 120 120']],
    ['is raised again after it was cleared', [131, 119, 131], ['high raised 131 130', 'high cleared 119 120', 'high raised 131 130']],
    ['does not flap inside its hysteresis', [131, 129, 131, 129, 131], ['high raised 131 130']],
    ['below works the other way round', [40, 39.9, 44, 45], ['low raised 39.9 40', 'low cleared 45 45']],
    ['is cleared and its opposite raised by one value', [131, 30], ['high raised 131 130', 'high cleared 30 120', 'low raised 30 40']],
    ['is never cleared without having been raised', [100, 50, 119], []],
  ];
  for (const [name, values, findings] of table) {
    it(`a threshold ${name}`, () => {
      expect(follow(values)).toEqual(findings);
    });
  }

  it('judges its own measurement only, and no waveform', () => {
    const other = { measurement: 'spo2', value: 200, unit: '%' };
    const block = { measurement: 'heart_rate', value: [200, 200], unit: '/min', rateHz: 1 };
    for (const reading of [other, block]) {
      expect(applyRules(EMPTY_CONTEXT, reading, [high, low])).toEqual({ context: EMPTY_CONTEXT, findings: [] });
    }
  });

  it('leaves the very same context when nothing changed', () => {
    const raised: SubjectContext = { raised: ['high'] };
    expect(applyRules(raised, pulse(150), [high, low]).context).toBe(raised);
    expect(applyRules(EMPTY_CONTEXT, pulse(80), [high, low]).context).toBe(EMPTY_CONTEXT);
  });

  it('keeps what other rules raised, in an order that depends on nothing', () => {
    const { context } = applyRules({ raised: ['zebra', 'low'] }, pulse(150), [high, low]);
    expect(context).toEqual({ raised: ['high', 'zebra'] });
  });
});

describe('rules of any kind', () => {
  const limits = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.nat(10), fc.boolean());
  const pack = fc.array(limits, { maxLength: 4 }).map((all) => all.map(([limit, slack, above], i): ThresholdRule => ({
    ...high, id: `rule-${i}`, above: above ? limit : undefined, below: above ? undefined : limit,
    clearAt: above ? limit - slack : limit + slack,
  })));
  const values = fc.array(fc.double({ min: -5, max: 65, noNaN: true }), { maxLength: 40 });

  it('are raised and cleared in turns, beginning with raised, each at values that say so', () => {
    fc.assert(fc.property(pack, values, (rules, row) => {
      const last = new Map<string, string>();
      let context = EMPTY_CONTEXT;
      for (const value of row) {
        const applied = applyRules(context, pulse(value), rules);
        expect(applyRules(context, pulse(value), rules)).toEqual(applied);
        for (const { rule, phase } of applied.findings) {
          expect(phase).toBe(last.get(rule.id) === 'raised' ? 'cleared' : 'raised');
          last.set(rule.id, phase);
          const beyond = rule.above === undefined ? value < (rule.below as number) : value > rule.above;
          expect(beyond).toBe(phase === 'raised');
        }
        context = applied.context;
        expect(context.raised).toEqual([...last].filter(([, phase]) => phase === 'raised').map(([id]) => id).toSorted());
        // A value beyond a limit never leaves its rule lowered.
        for (const rule of rules) if (rule.above !== undefined && value > rule.above) expect(context.raised).toContain(rule.id);
      }
    }));
  });
});

describe('reading rules', () => {
  it('takes the rules a gateway is configured with as they are', () => {
    expect(readRules(JSON.parse(JSON.stringify([...DEFAULT_RULES, high, low])) as unknown[])).toEqual([...DEFAULT_RULES, high, low]);
    expect(readRules([])).toEqual([]);
  });

  it('ignores members of later versions', () => {
    expect(readRules([{ ...high, dwell: 30 }])).toEqual([high]);
  });

  const broken: readonly [name: string, rule: unknown][] = [
    ['null', null],
    ['text', 'high'],
    ['an array', []],
    ['nothing in it', {}],
    ['two limits', { ...high, below: 1 }],
    ['no limit', { ...high, above: undefined }],
    ['a limit as text', { ...high, above: '130' }],
    ['an infinite limit', { ...high, above: Infinity }],
    ['no clearing value', { ...high, clearAt: undefined }],
    ['an unknown priority', { ...high, priority: 'utmost' }], ['a priority of the prototype', { ...high, priority: 'constructor' }],
    ['no name', { ...high, id: undefined }],
    ['a measurement that is no text', { ...high, measurement: 7 }],
    ['no wording', { ...high, wording: null }],
  ];
  for (const [name, rule] of broken) {
    it(`refuses a rule with ${name}, saying which`, () => {
      expect(() => readRules([high, rule])).toThrow(
        expect.objectContaining({ reason: 'wrong_shape', message: expect.stringContaining('rule 2') as string })
      );
    });
  }

  it('knows the three priorities of IEC 60601-1-8', () => {
    expect(PRIORITIES).toEqual(['high', 'medium', 'low']);
  });
});
