import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TIME, dueIn, endGlass, forgetEpisodes, isReason, LONGEST_TIME, MOST_EPISODES, openEpisode, openGlass, REVIEW_WITHIN, reviewGlass, statusOf, type Glass, type GlassActor } from '../../gateway/consent/break-glass.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { NOON } from './statements.ts';

const CHO: GlassActor = { id: 'cho', role: 'clinician' };
const DAN: GlassActor = { id: 'dan', role: 'clinician' };
const OTTO: GlassActor = { id: 'otto', role: 'administrator' };
const ANN: GlassActor = { id: 'ann', role: 'caregiver' };
const REASON = 'found unconscious in the hall';
const after = (millis: number): UnixMillis => UnixMillis(NOON + millis);

type Result = ReturnType<typeof openGlass>;
const glassOf = (result: Result): Glass => {
  if (typeof result === 'string') throw new Error(result);
  return result.glass;
};
const opening = (differing: Partial<Parameters<typeof openGlass>[1]> = {}, glass: Glass = [], at = NOON): Result => openGlass(glass, { number: 1, patient: 'anna', by: CHO, reason: REASON, ...differing }, at);
const OPEN = glassOf(opening());

describe('breaking the glass', () => {
  it('takes a role that may, a reason that says something, and a day at most', () => {
    const cases: readonly [Result, string][] = [
      [opening({ by: ANN }), 'role_may_not'], [opening({ by: OTTO }), 'role_may_not'], [opening({ by: { id: 'x', role: '' } }), 'role_may_not'],
      [opening({ reason: 'urgent' }), 'bad_reason'], [opening({ reason: 'aaaaaaaaaaaaaaa' }), 'bad_reason'], [opening({ reason: 'unconscious\nin the hall' }), 'bad_reason'], [opening({ reason: 'x y '.repeat(300) }), 'bad_reason'],
      [opening({ time: Millis(0) }), 'bad_time'], [opening({ time: Millis(LONGEST_TIME + 1) }), 'bad_time'], [opening({ time: Millis(1.5) }), 'bad_time'],
      [opening({ patient: 'a/b' }), 'bad_name'], [opening({ by: { id: '', role: 'clinician' } }), 'bad_name'],
      [opening({ number: 2 }, OPEN), 'already_open'],
    ];
    for (const [result, refusal] of cases) expect(result).toBe(refusal);
    expect(OPEN[0]).toMatchObject({ opened: NOON, ends: after(DEFAULT_TIME), due: after(DEFAULT_TIME + REVIEW_WITHIN) });
    expect(glassOf(opening({ number: 2, by: DAN }, OPEN))).toHaveLength(2);
    expect(glassOf(opening({ number: 2 }, OPEN, after(DEFAULT_TIME)))).toHaveLength(2);
    expect([isReason('she fell down'), isReason('           '), isReason('. . . . . . .')]).toEqual([true, false, false]);
  });

  it('lets that person see that patient, until it is over or ended', () => {
    expect(openEpisode(OPEN, 'anna', 'cho', NOON)?.number).toBe(1);
    for (const [patient, person, at] of [['bob', 'cho', NOON], ['anna', 'dan', NOON], ['anna', undefined, NOON], ['anna', 'cho', after(-1)], ['anna', 'cho', after(DEFAULT_TIME)]] as const) expect(openEpisode(OPEN, patient, person, at)).toBeUndefined();
    const ended = glassOf(endGlass(OPEN, 1, OTTO, after(10)));
    expect(openEpisode(ended, 'anna', 'cho', after(10))).toBeUndefined();
    expect(ended[0]).toMatchObject({ ends: after(10), endedBy: OTTO, due: after(10 + REVIEW_WITHIN) });
    expect([endGlass(OPEN, 1, ANN, NOON), endGlass(OPEN, 2, CHO, NOON), endGlass(ended, 1, CHO, after(11))]).toEqual(['role_may_not', 'unknown_episode', 'not_open']);
  });

  it('is judged by somebody else when it is over, and late is better than never', () => {
    const verdict = { number: 1, verdict: 'justified' as const, remark: 'nobody else was there' };
    const over = after(DEFAULT_TIME);
    const late = after(DEFAULT_TIME + REVIEW_WITHIN);
    expect([reviewGlass(OPEN, { ...verdict, by: DAN }, NOON), reviewGlass(OPEN, { ...verdict, by: CHO }, over), reviewGlass(OPEN, { ...verdict, by: ANN }, over), reviewGlass(OPEN, { ...verdict, by: DAN, remark: 'fine' }, over), reviewGlass(OPEN, { ...verdict, number: 2, by: DAN }, over)])
      .toEqual(['still_open', 'own_episode', 'role_may_not', 'bad_reason', 'unknown_episode']);
    expect([statusOf(OPEN[0] as never, over), statusOf(OPEN[0] as never, late)]).toEqual(['ended', 'overdue']);
    const reviewed = glassOf(reviewGlass(OPEN, { ...verdict, by: OTTO }, late));
    expect(statusOf(reviewed[0] as never, late)).toBe('reviewed');
    expect(reviewGlass(reviewed, { ...verdict, by: DAN }, late)).toBe('already_reviewed');
  });

  it('keeps what waits to be judged, and lets the oldest go that was', () => {
    let glass: Glass = [];
    for (let number = 1; number <= MOST_EPISODES; number++) glass = glassOf(opening({ number, patient: `p${number}` }, glass));
    expect(opening({ number: 9999 }, glass)).toBe('too_many');
    const judged = glassOf(reviewGlass(glassOf(endGlass(glass, 3, CHO, NOON)), { number: 3, by: DAN, verdict: 'justified', remark: REASON }, NOON));
    const more = glassOf(opening({ number: 9999 }, judged));
    expect([more.length, more.some(({ number }) => number === 3)]).toEqual([MOST_EPISODES, false]);
    expect(forgetEpisodes(more, 'p1')).toHaveLength(MOST_EPISODES - 1);
  });

  it('tells when time alone changes something next, at every instant of any story', () => {
    type Step = Readonly<{ is: 'open' | 'end' | 'review'; number: number; wait: number }>;
    const step: fc.Arbitrary<Step> = fc.record({ is: fc.constantFrom('open', 'end', 'review'), number: fc.integer({ min: 1, max: 4 }), wait: fc.integer({ min: 0, max: 3 }).map((n) => n * 60_000) });
    fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let now: number = NOON;
      let glass: Glass = [];
      let next = 1;
      for (const { is, number, wait } of steps) {
        now += wait;
        const at = UnixMillis(now);
        const result = is === 'open' ? openGlass(glass, { number: next, patient: `p${number}`, by: CHO, reason: REASON, time: Millis(120_000) }, at) : is === 'end' ? endGlass(glass, number, CHO, at) : reviewGlass(glass, { number, by: DAN, verdict: 'unjustified', remark: REASON }, at);
        if (typeof result === 'string') continue;
        if (is === 'open') next += 1;
        glass = result.glass;
      }
      const at = UnixMillis(now);
      const due = dueIn(glass, at);
      const seen = (time: number): string => glass.map((each) => statusOf(each, UnixMillis(time))).join();
      if (due === undefined) expect(seen(now + 1e12)).toBe(seen(now));
      else expect([seen(due - 1), seen(due) === seen(now)]).toEqual([seen(now), false]);
    }));
  });
});
