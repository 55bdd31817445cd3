import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AT_REST, dwell, dwellDue, type Dwell, type DwellState, type Verdict } from '../../gateway/context/dwell.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

const TIMES: Dwell = { for: Seconds(40), clearFor: Seconds(10), atMostEvery: Seconds(0) };
const YES: Verdict = { raise: true, clear: false };
const NO: Verdict = { raise: false, clear: true };
const BETWEEN: Verdict = { raise: false, clear: false };
const UNKNOWN: Verdict = { raise: undefined, clear: undefined };

/** When what happened, in seconds. */
function phases(told: readonly (readonly [at: number, verdict: Verdict])[], times = TIMES): string[] {
  let state: DwellState = AT_REST;
  const happened: string[] = [];
  for (const [at, verdict] of told) {
    const step = dwell(state, verdict, Seconds(at), times);
    state = JSON.parse(JSON.stringify(step.state)) as DwellState;
    if (step.phase !== undefined) happened.push(`${step.phase} at ${at}`);
  }
  return happened;
}

describe('a rule with a dwell', () => {
  it('is raised when its condition held for so long, and cleared when that was over for so long', () => {
    expect(phases([[0, YES], [39.9, YES], [40, YES], [50, NO], [59, NO], [60, NO]])).toEqual(['raised at 40', 'cleared at 60']);
  });

  it('begins anew when the condition is interrupted, be it by not knowing', () => {
    expect(phases([[0, YES], [30, NO], [31, YES], [70, YES], [71, YES]])).toEqual(['raised at 71']);
    expect(phases([[0, YES], [30, UNKNOWN], [31, YES], [41, YES], [71, YES]])).toEqual(['raised at 71']);
  });

  it('is not cleared between the limits, nor because nothing comes any more', () => {
    expect(phases([[0, YES], [40, YES], [50, BETWEEN], [100, UNKNOWN], [1000, UNKNOWN]])).toEqual(['raised at 40']);
  });

  it('without a dwell is raised and cleared at once', () => {
    const none = { for: Millis(0), clearFor: Millis(0), atMostEvery: Millis(0) };
    expect(phases([[0, YES], [1, NO], [2, YES]], none)).toEqual(['raised at 0', 'cleared at 1', 'raised at 2']);
  });

  it('is raised again only after its time, if the condition still holds then', () => {
    const rare = { for: Millis(0), clearFor: Millis(0), atMostEvery: Seconds(600) };
    expect(phases([[0, YES], [1, NO], [2, YES], [300, YES], [600, YES]], rare)).toEqual(['raised at 0', 'cleared at 1', 'raised at 600']);
  });

  it('says when it changes if everything stays as it is', () => {
    const { state } = dwell(AT_REST, YES, Seconds(5), TIMES);
    expect(dwellDue(state, TIMES)).toBe(45_000);
    expect(dwellDue(AT_REST, TIMES)).toBeUndefined();
  });

  it('does what a naive look back over everything that was told does', () => {
    const verdict = fc.constantFrom(YES, NO, BETWEEN, UNKNOWN);
    const times = fc.record({ for: fc.nat(5), clearFor: fc.nat(5), atMostEvery: fc.nat(20) });
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(3), verdict), { maxLength: 40 }), times, (steps, { for: needed, clearFor, atMostEvery }) => {
      let at = 0;
      const told = steps.map(([passed, each]) => [(at += passed), each] as const);
      const given = { for: Seconds(needed), clearFor: Seconds(clearFor), atMostEvery: Seconds(atMostEvery) };
      expect(phases(told, given)).toEqual(naively(told, given));
    }));
  });
});

/** At every instant: since when, without a gap, has what is wanted held? */
function naively(told: readonly (readonly [number, Verdict])[], { for: needed, clearFor, atMostEvery }: Dwell): string[] {
  const happened: string[] = [];
  let [raised, changedAt, raisedAt] = [false, -1, -Infinity];
  for (const [i, [at]] of told.entries()) {
    const wanted = (index: number): boolean => (raised ? told[index]?.[1].clear : told[index]?.[1].raise) === true;
    if (!wanted(i)) continue;
    let from = i;
    while (from - 1 > changedAt && wanted(from - 1)) from -= 1;
    const since = Seconds(told[from]?.[0] ?? 0);
    const due = raised ? since + clearFor : Math.max(since + needed, raisedAt + atMostEvery);
    if (Seconds(at) < due) continue;
    raised = !raised;
    changedAt = i;
    if (raised) raisedAt = Seconds(at);
    happened.push(`${raised ? 'raised' : 'cleared'} at ${at}`);
  }
  return happened;
}
