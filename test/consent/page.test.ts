import { describe, expect, it } from 'vitest';
import type { Decision } from '../../gateway/consent/decide.ts';
import { pageFor } from '../../gateway/consent-filter.ts';
import type { SubjectView } from '../../gateway/web/care-desk.ts';

const usual = (name: string, from: readonly string[]): SubjectView['baselines'][number] => ({ name, value: 1, unit: '1', days: 9, meaning: 'usual', from });
const VIEW: SubjectView = {
  subject: { kind: 'patient', id: 'anna' }, values: [], activity: null, room: null, spo2Scale: 1, scores: [],
  baselines: [usual('usual_spo2', ['spo2']), usual('usual_night_rate', ['heart_rate', 'pulse_rate']), usual('usual_room_minutes', ['motion', 'usage', 'door'])],
};
const shownWith = (what: Decision['what']): readonly string[] => {
  const page = pageFor(VIEW, { person: 'ann', access: 'caregiver', purpose: 'TREAT' }, { decide: () => ({ decision: 'permit', what, version: 'v' }) as unknown as Decision });
  return 'page' in page ? page.page.baselines.map(({ name }) => name) : [];
};

describe('what is usual', () => {
  it('is withheld with any of the measurements it was learnt from', () => {
    const all = { spo2: 'full', heart_rate: 'full', pulse_rate: 'summary', motion: 'full', usage: 'full', door: 'full' } as const;
    expect(shownWith(all)).toEqual(['usual_spo2', 'usual_night_rate', 'usual_room_minutes']);
    const { pulse_rate: _, ...withoutPulse } = all;
    expect(shownWith(withoutPulse)).toEqual(['usual_spo2', 'usual_room_minutes']);
    expect(shownWith({ ...withoutPulse, motion: 'events' })).toEqual(['usual_spo2']);
  });
});
