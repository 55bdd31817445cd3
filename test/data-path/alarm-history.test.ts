import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../gateway/alarm/policy.ts';
import { AlarmFeed } from '../../gateway/alarm-feed.ts';
import { AlarmHistory } from '../../gateway/alarm-history.ts';
import { stepView, type StepView } from '../../gateway/alarm-views.ts';
import { encodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import { Millis } from '../../gateway/quantity.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { House } from './house.ts';

const BY = { id: 'ann', role: 'caregiver' };
const PACK = {
  pack: 'test', version: 1,
  rules: [{ id: 'low', when: 'spo2 < 90', for: Millis(0), clearFor: Millis(0), atMostEvery: Millis(0), priority: 'high', kind: 'physiological', message: 'SpO2 {spo2} %', source: 'a test' }],
};
const observe = (patient: string, spo2: number): OperatorAction => ({ type: 'observe', patient, values: { spo2 }, by: BY });

describe('the steps of alarms in the chain', () => {
  let house: House;
  let history: AlarmHistory;
  beforeEach(async () => {
    house = await House.open(openMemoryStore());
    history = new AlarmHistory(house.parts);
    await house.pipeline.carryOut([encodeOperatorAction({ type: 'contracts', packs: [PACK], by: [BY] })]);
  });
  afterEach(() => house[Symbol.asyncDispose]());

  const decide = async (...actions: readonly OperatorAction[]): Promise<void> => await house.pipeline.carryOut(actions.map(encodeOperatorAction));
  const told = (): readonly StepView[] => house.checkpoints.flatMap(({ steps }) => steps).map(({ step, time }) => stepView(step, time));

  it('are what was told when they happened, wherever one begins and while blocks are sealed', async () => {
    await decide(observe('anna', 80));
    await decide({ type: 'snooze', alarm: 1, revision: 1, time: Millis(60_000), by: BY });
    await decide({ type: 'acknowledge', alarm: 1, revision: 1, by: BY });
    await decide({ type: 'acknowledge', alarm: 99, revision: 1, by: BY });
    for (let patient = 0; patient < 20; patient++) {
      await decide(observe(`patient-${patient}`, 85), observe(`patient-${patient}`, 95));
      // Some are sealed by now, and some wait.
      expect(await history.read(1, told().length)).toEqual(told());
    }
    const all = told();
    expect(all.map(({ why }) => why).slice(0, 4)).toEqual(['raised', 'snoozed', 'acknowledged', 'refused']);
    expect(all[3]).toMatchObject({ subject: null, rule: null, priority: null, refusal: 'unknown_alarm' });
    await house.until(() => house.sealed.filter(({ state }) => state.lane === 'alarm').flatMap(({ entries }) => entries).length === all.length);
    for (let first = 1; first <= all.length; first++) expect(await history.read(first, Math.min(first + 6, all.length))).toEqual(all.slice(first - 1, first + 6));
  });

  it('are all there or an error says which is missing', async () => {
    await decide(observe('anna', 80));
    await expect(history.read(1, 2)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT', message: expect.stringContaining('step 2') as string });
    expect(await history.read(1, 0)).toEqual([]);
  });

  it('go on in a feed that begins in the middle', async () => {
    await decide(observe('anna', 80));
    const { derived } = house.pipeline;
    const feed = new AlarmFeed({ alarms: derived.alarms, policy: () => DEFAULT_POLICY, wallAt: (steady) => derived.wallAt(steady), history });
    const before = house.checkpoints.length;
    await decide({ type: 'acknowledge', alarm: 1, revision: 1, by: BY });
    let called = 0;
    const leave = feed.onSteps(() => (called += 1));
    feed.take(house.checkpoints.slice(before));
    expect([called, feed.lastStep, feed.alarm(1)?.acknowledgedBy]).toEqual([1, 2, BY]);
    expect(await feed.after(0, 10)).toEqual(told());
    leave();
    const later = house.checkpoints.length;
    await decide({ type: 'acknowledge', alarm: 1, revision: 1, by: BY });
    feed.take(house.checkpoints.slice(later));
    expect([called, feed.lastStep]).toEqual([1, 3]);
  });
});
