import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Person } from '../../gateway/context/clinical.ts';
import { compileContracts, type RuleSet } from '../../gateway/context/contract-engine.ts';
import type { ContractRule } from '../../gateway/context/contract.ts';
import { localHour } from '../../gateway/context/local-hour.ts';
import { NEWS2_STALE } from '../../gateway/context/observations.ts';
import { DERIVED } from '../../gateway/context/vocabulary.ts';
import { look, takeReading, UNWATCHED, type WatchState } from '../../gateway/context/watch.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type Doubt } from '../../gateway/reading.ts';

const ANNA: Person = { kind: 'patient', spo2Scale: 1, rooms: { bed: 'bedroom', bath: 'bathroom', hall: 'hall' } };
const ROOM: Person = { kind: 'room', spo2Scale: 1, rooms: {} };
const MIDNIGHT = Date.UTC(2026, 10, 23);
const DAY = 24 * 60;

/** One rule for every name, so that all of them are followed, and whose message is all of them. */
const NAMES = [...DERIVED.keys()];
const ruleOf = (name: string): ContractRule => ({
  id: name, when: DERIVED.get(name)?.type === 'bool' ? name : DERIVED.get(name)?.type === 'text' ? `${name} == "hall"` : `${name} > ${DERIVED.get(name)?.range?.[0] ?? 0}`, for: Minutes(DAY * 60), clearFor: Millis(0),
  atMostEvery: Millis(0), priority: 'low', kind: 'physiological', message: name, source: 'test',
});
const ALL: RuleSet = compileContracts([{ contract: { pack: 'all', version: 1, rules: NAMES.map(ruleOf) }, hash: '' }]);

type Told = Readonly<{ minute: number; values: Readonly<Record<string, number>>; room?: string; device?: string; doubt?: Doubt; clock?: 'unknown' }>;

/** Tells and looks once a minute from local midnight of day 0 on; the state is written down and read again at every look. */
function after(told: readonly Told[], until: number, person = ANNA): WatchState {
  let [state, minute]: [WatchState, number] = [UNWATCHED, 0];
  const local = (at: number): ReturnType<typeof localHour> => localHour(UnixMillis(MIDNIGHT + Minutes(at)), 0);
  const lookUntil = (end: number): void => {
    for (; minute <= end; minute++) {
      state = look(minute % 60 === 0 ? JSON.parse(JSON.stringify(state)) as WatchState : state, ALL, person, { now: Minutes(minute), local: local(minute) }).state;
    }
  };
  for (const { minute: at, values, room, device = 'w', doubt, clock } of told.filter((each) => each.minute <= until)) {
    lookUntil(Math.ceil(at) - 1);
    for (const [measurement, value] of Object.entries(values)) {
      const reading = { measurement, value, unit: '1', ...(doubt === undefined ? {} : { doubt }) };
      const when = clock === undefined ? local(at) : undefined;
      const observed = { reading, device, frame: Sequence(1), at: Minutes(at), local: when, ...(room === undefined ? {} : { room }) };
      state = takeReading(state, ALL, person, observed, { now: Minutes(at), local: when }).state;
    }
  }
  lookUntil(until);
  return state;
}

/** What a name stands for, through a rule that is raised at once and says it. */
function valueIn(state: WatchState, name: string, minute: number, person = ANNA): string {
  const { when } = ruleOf(name);
  const rule = { ...ruleOf(name), when: `(${when}) || !(${when})`, for: Millis(0), message: `{${name}}` };
  const rules = compileContracts([{ contract: { pack: 'one', version: 1, rules: [rule] }, hash: '' }]);
  const { findings } = look({ ...state, rules: {} }, rules, person, { now: Minutes(minute), local: localHour(UnixMillis(MIDNIGHT + Minutes(minute)), 0) });
  return findings[0]?.message ?? 'not known';
}
const valuesIn = (told: readonly Told[], minute: number, names: readonly string[], person = ANNA): readonly string[] => {
  const state = after(told, Math.floor(minute), person);
  return names.map((name) => valueIn(state, name, minute, person));
};
const repeat = (from: number, count: number, step: number, of: (i: number, minute: number) => Omit<Told, 'minute'>): Told[] =>
  Array.from({ length: count }, (_, i) => ({ minute: from + i * step, ...of(i, from + i * step) }));

// RCP 2017: RR 21 scores 2, SpO2 93 % on scale 1 scores 2, oxygen 2, SBP 100 scores 2, pulse 112 scores 2, C scores 3, 38.1 scores 1.
const ILL = { respiratory_rate: 21, spo2: 93, oxygen_flow: 2, systolic_pressure: 100, heart_rate: 112, consciousness: 1, body_temperature: 38.1 };

describe('NEWS2 of what was measured last', () => {
  it('is the aggregate, whether one is red, and the pulse, of which the newer counts', () => {
    expect(valuesIn([{ minute: 0, values: ILL }], 0, ['news2', 'news2_at_least', 'news2_red', 'pulse'])).toEqual(['14', '14', 'yes', '112']);
    expect(valuesIn([{ minute: 0, values: ILL }, { minute: 1, values: { pulse_rate: 80 } }], 1, ['news2', 'pulse'])).toEqual(['12', '80']);
    expect(valuesIn([{ minute: 0, values: { ...ILL, consciousness: 0 } }], 0, ['news2_red', 'news2'])).toEqual(['no', '11']);
  });

  it('is on the scale that a clinician prescribed: 93 % on oxygen scores 1 on scale 2', () => {
    expect(valuesIn([{ minute: 0, values: ILL }], 0, ['news2', 'spo2_scale'], { ...ANNA, spo2Scale: 2 })).toEqual(['13', '2']);
    expect(valuesIn([{ minute: 0, values: ILL }], 0, ['news2', 'news2_at_least', 'news2_red', 'spo2_scale'], ROOM)).toEqual(['not known', 'not known', 'not known', 'not known']);
  });

  it('is not known while a parameter is missing; what is known is a lower bound, and a red score one already', () => {
    const { body_temperature: _, ...rest } = ILL;
    expect(valuesIn([{ minute: 0, values: rest }], 0, ['news2', 'news2_at_least', 'news2_red'])).toEqual(['not known', '13', 'yes']);
    expect(valuesIn([{ minute: 0, values: { ...rest, consciousness: 0 } }], 0, ['news2', 'news2_at_least', 'news2_red'])).toEqual(['not known', '10', 'not known']);
    expect(valuesIn([], 0, ['news2', 'news2_at_least', 'news2_red'])).toEqual(['not known', 'not known', 'not known']);
  });

  it.each(Object.entries({
    respiratory_rate: NEWS2_STALE.respiration_rate, spo2: NEWS2_STALE.oxygen_saturation, oxygen_flow: NEWS2_STALE.air_or_oxygen, systolic_pressure: NEWS2_STALE.systolic_pressure,
    heart_rate: NEWS2_STALE.pulse, consciousness: NEWS2_STALE.consciousness, body_temperature: NEWS2_STALE.temperature,
  }))('counts %s for as long as the table says, and no longer', (measurement, stale) => {
    const { [measurement as keyof typeof ILL]: value, ...others } = ILL;
    const minutes = stale / Minutes(1);
    const told = [{ minute: 0, values: { [measurement]: value } }, { minute: minutes, values: others }];
    expect([minutes, minutes + 0.1].map((minute) => valuesIn(told, minute, ['news2'])[0])).toEqual(['14', 'not known']);
  });
});

describe('the heat index of a room', () => {
  it('is that of its temperature and humidity while both are fresh (NWS: 90 °F and 70 % are 105.92 °F)', () => {
    const told = [{ minute: 0, values: { room_temperature: (90 - 32) / 1.8, humidity: 70 } }];
    expect(valuesIn(told, 0, ['heat_index'], ROOM)).toEqual(['41.1']);
    expect(valuesIn(told, 61, ['heat_index'], ROOM)).toEqual(['not known']);
    expect(valuesIn([{ minute: 0, values: { room_temperature: 30 } }], 0, ['heat_index'], ROOM)).toEqual(['not known']);
  });
});

// 95 % with a fall to 90 % for half a minute every two minutes: thirty an hour; at a value every five seconds.
const oxygenOf = (_: number, minute: number): Omit<Told, 'minute'> => ({ values: { spo2: minute % 2 >= 1.5 ? 90 : 95 } });
const night = (from: number, hours: number, more: Omit<Told, 'minute' | 'values'> = {}): Told[] => repeat(from, hours * 720, 1 / 12, (i, minute) => ({ ...oxygenOf(i, minute), ...more }));

describe('the oxygen of the last night', () => {
  const ODI = ['odi3', 'odi4', 't90'];

  it('is known once the person is up for half an hour, until midnight', () => {
    const told = night(23 * 60, 5);
    expect([9 * 60, 9 * 60 + 31, 23 * 60].map((minute) => valuesIn(told, DAY + minute, ODI)[0])).toEqual(['not known', '30', '30']);
    expect(valuesIn(told, DAY + 10 * 60, ODI)).toEqual(['30', '30', '0']);
    expect(valuesIn(told, 2 * DAY + 1, ODI)).toEqual(['not known', 'not known', 'not known']);
  });

  it('ends when the bed is left after five o\'clock, and not on the way to the bathroom', () => {
    const told: Told[] = [{ minute: 22 * 60, values: { usage: 1 }, device: 'bed' }, ...night(23 * 60, 5), { minute: DAY + 270, values: { usage: 0 }, device: 'bed' }];
    expect([DAY + 5 * 60 + 29, DAY + 5 * 60 + 31].map((minute) => valuesIn(told, minute, ['odi4'])[0])).toEqual(['not known', '30']);
    expect(valuesIn([...told, { minute: DAY + 290, values: { usage: 1 }, device: 'bed' }], DAY + 6 * 60, ['odi4'])).toEqual(['not known']);
  });

  it('is not known without four valid hours, and what bears a doubt is not valid', () => {
    expect(valuesIn(night(23 * 60, 3), DAY + 11 * 60, ODI)).toEqual(['not known', 'not known', 'not known']);
    expect(valuesIn(night(23 * 60, 5, { doubt: 'movement' }), DAY + 11 * 60, ODI)).toEqual(['not known', 'not known', 'not known']);
    expect(valuesIn(night(23 * 60, 5, { clock: 'unknown' }), DAY + 11 * 60, ODI)).toEqual(['not known', 'not known', 'not known']);
  });
});

describe('the resting heart rate of nights', () => {
  const nights = (rates: readonly number[], more: (minute: number) => Partial<Told> = () => ({})): Told[] =>
    rates.flatMap((rate, day) => repeat(day * DAY + 60, 120, 1, (i, minute) => ({ values: { heart_rate: rate + (i % 3) - 1 }, ...more(minute) })));

  it('is raised by two nights 4 /min above the median, and not by one', () => {
    expect(valuesIn(nights([60, 60, 60, 60, 60, 60, 60, 60, 64, 65]), 9 * DAY + 480, ['night_rate_raised', 'night_rate_excess'])).toEqual(['yes', '5']);
    expect(valuesIn(nights([60, 60, 60, 60, 60, 60, 60, 60, 60, 65]), 9 * DAY + 480, ['night_rate_raised', 'night_rate_excess'])).toEqual(['no', '5']);
    expect(valuesIn(nights([60, 60, 60, 60, 65, 65]), 5 * DAY + 480, ['night_rate_raised'])).toEqual(['not known']);
  });

  it('counts no doubtful value, none while the clock is not known, and none of minutes with steps', () => {
    const good = nights([60, 60, 60, 60, 60, 60, 60, 60]);
    const bad = (more: Partial<Told>): readonly string[] => {
      const fast = nights([0, 0, 0, 0, 0, 0, 0, 0, 80, 80], () => more).filter(({ minute }) => minute > 8 * DAY);
      return valuesIn([...good, ...fast], 9 * DAY + 480, ['night_rate_raised']);
    };
    expect([bad({}), bad({ doubt: 'poor_signal' }), bad({ clock: 'unknown' })]).toEqual([['yes'], ['not known'], ['not known']]);
    const walking = repeat(8 * DAY + 60, 120, 1, (i) => ({ values: { steps: i * 50, heart_rate: 100 + (i % 3) } }));
    expect(valuesIn([...good, ...walking], 8 * DAY + 480, ['night_rate_excess'])).toEqual(['0']);
  });
});

describe('rooms', () => {
  const visit = (minute: number, length: number): Told[] => [
    { minute, values: { motion: 1 }, room: 'bath', device: 'pir-bath' }, { minute: minute + length, values: { motion: 1 }, room: 'bed', device: 'pir-bed' },
  ];
  const STAY = ['room_kind', 'room_minutes', 'usual_room_minutes', 'room_minutes_deviation'];

  it('are known by kind and for how long; what is usual after ten stays of the same time of day', () => {
    const stays = Array.from({ length: 10 }, (_, i) => visit(600 + i * 30, 8)).flat();
    expect(valuesIn([...stays, ...visit(1000, 100)], 1020, STAY)).toEqual(['bathroom', '20', '8', '4.1']);
    expect(valuesIn([...stays.slice(2), ...visit(1000, 100)], 1020, STAY)).toEqual(['bathroom', '20', 'not known', 'not known']);
    // At night nothing is usual yet.
    expect(valuesIn([...stays, ...visit(DAY + 60, 100)], DAY + 80, STAY)).toEqual(['bathroom', '20', 'not known', 'not known']);
  });

  it('are not known when several people are seen, when the person is away, or in a room that is not theirs alone', () => {
    const elsewhere: Told = { minute: 600, values: { motion: 1 }, room: 'salon', device: 'pir' };
    expect(valuesIn([elsewhere], 610, STAY)).toEqual(['not known', 'not known', 'not known', 'not known']);
    const left: Told[] = [0, 1, 0].map((door, i) => ({ minute: 600 + i, values: { door }, room: 'hall', device: 'front' }));
    expect(valuesIn([...visit(590, 5), ...left], 608, ['room_kind', 'still_minutes'])).toEqual(['bedroom', '6']);
    expect(valuesIn([...visit(590, 5), ...left], 620, ['room_kind', 'still_minutes'])).toEqual(['not known', 'not known']);
    const crowd: Told[] = [0, 1, 2, 3].map((i) => ({ minute: 600 + i / 10, values: { motion: 1 }, room: i % 2 === 0 ? 'bed' : 'bath', device: `pir${i % 2}` }));
    expect(valuesIn(crowd, 602, ['room_kind'])).toEqual(['not known']);
  });

  it('are not changed by a door that tells again what it told before', () => {
    const told: Told[] = [{ minute: 590, values: { door: 0 }, room: 'bath', device: 'd' }, { minute: 600, values: { motion: 1 }, room: 'bed', device: 'p' }, { minute: 640, values: { door: 0 }, room: 'bath', device: 'd' }];
    expect(valuesIn(told, 650, ['room_kind', 'room_minutes', 'still_minutes'])).toEqual(['bedroom', '50', '50']);
  });

  it('are counted when they change at night, beside other nights', () => {
    const nightOf = (day: number, visits: number): Told[] => Array.from({ length: visits }, (_, i) => visit(day * DAY + 60 + i * 20, 5)).flat();
    const quiet = [0, 1, 2, 3, 4, 5, 6].flatMap((day) => nightOf(day, 1));
    const told = [...quiet, ...nightOf(7, 6)];
    // Six visits are twelve moves less the first, which began where the night before ended.
    expect(valuesIn(told, 7 * DAY + 300, ['night_moves', 'night_moves_deviation'])).toEqual(['12', '5']);
    expect(valuesIn(told, 7 * DAY + 660, ['night_moves'])).toEqual(['12']);
    expect(valuesIn(told, 7 * DAY + 780, ['night_moves', 'night_moves_deviation'])).toEqual(['not known', 'not known']);
    expect(valuesIn(told.slice(14), 7 * DAY + 300, ['night_moves', 'night_moves_deviation'])).toEqual(['11', 'not known']);
  });
});

describe('falls and stillness', () => {
  it('are minutes since the last that was told, and since anything moved', () => {
    const told: Told[] = [{ minute: 10, values: { motion: 1 }, room: 'bed', device: 'p' }, { minute: 12, values: { motion: 0 }, room: 'bed', device: 'p' }, { minute: 15, values: { fall: 1 } }, { minute: 16, values: { fall: 0 } }];
    expect(valuesIn(told, 45, ['minutes_since_fall', 'still_minutes'])).toEqual(['30', '33']);
    expect(valuesIn([{ minute: 16, values: { fall: 0 } }], 45, ['minutes_since_fall', 'still_minutes'])).toEqual(['not known', 'not known']);
  });

  it('are of a person: in a room nothing moves because nobody is there', () => {
    const told: Told[] = [{ minute: 10, values: { motion: 1, door: 0 } }];
    expect(valuesIn(told, 400, ['still_minutes'], ROOM)).toEqual(['not known']);
    expect(valuesIn(told, 400, ['still_minutes'])).toEqual(['390']);
  });

  it('are not known when nothing would tell: a step counter that fell silent, rooms that were for a day', () => {
    const steps = repeat(0, 30, 1, () => ({ values: { steps: 100 } }));
    expect([29, 44, 45].map((minute) => valuesIn(steps, minute, ['still_minutes'])[0])).toEqual(['29', '44', 'not known']);
    const motion: Told[] = [{ minute: 0, values: { motion: 1 }, room: 'bed', device: 'p' }];
    expect([DAY, DAY + 1].map((minute) => valuesIn(motion, minute, ['still_minutes'])[0])).toEqual([`${DAY}`, 'not known']);
  });
});

describe('what is followed of somebody', () => {
  it('stays bounded and finite, whatever is told and for however long', () => {
    const measurement = fc.constantFrom('heart_rate', 'pulse_rate', 'spo2', 'motion', 'door', 'usage', 'steps', 'fall', 'consciousness', 'respiratory_rate');
    const told = fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), measurement, fc.integer({ min: 0, max: 150 }), fc.constantFrom('bed', 'bath', 'hall', undefined)), { maxLength: 80 });
    fc.assert(fc.property(told, (all) => {
      let minute = 0;
      const state = after(all.map(([passed, name, value, room]): Told => {
        minute += passed;
        return { minute, values: { [name]: value }, ...(room === undefined ? {} : { room }) };
      }), minute + 60);
      expect(JSON.stringify(state).length).toBeLessThan(20_000);
      for (const name of NAMES) expect(valueIn(state, name, minute + 60)).not.toMatch(/NaN|Infinity|\?/);
    }), { numRuns: 20 });
  });

  it('is nothing that no rule needs', () => {
    const rules = compileContracts([{ contract: { pack: 'one', version: 1, rules: [{ ...ruleOf('news2') }] }, hash: '' }]);
    const observed = { reading: { measurement: 'spo2', value: 95, unit: '%' }, device: 'w', frame: Sequence(1), at: Millis(0), local: localHour(UnixMillis(MIDNIGHT), 0) };
    expect(takeReading(UNWATCHED, rules, ANNA, observed, { now: Millis(0), local: observed.local }).state.clinical).toEqual({ movement: {} });
  });
});
