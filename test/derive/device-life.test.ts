import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import type { Sighting } from '../../gateway/derive/sightings.ts';
import { type CborMap } from '../../gateway/ledger/cbor.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import type { Frame } from '../../gateway/reading.ts';
import { bind, derive, deriverFrom, fold, HIGH_PULSE, message, profiles, pulse, rules, runOf, START, tick } from './story.ts';
import { saidIn } from '../vault/known-keys.ts';

/** A frame that came so many milliseconds after the first. */
const at = (ms: number, frame: Frame): Frame => ({ ...frame, receivedAt: UnixMillis(START + ms), uptime: Millis(ms) });
const eventsOf = (checkpoints: readonly Checkpoint[]): Record<string, unknown>[] =>
  checkpoints.flatMap(({ entries }) => entries).filter(({ lane }) => lane === 'alarm')
    .map((entry) => saidIn(entry));
const strangersAfter = (frames: readonly Frame[]): Sighting[] => [...fold(derive([...frames, tick()])).sightings.values()];

const ZIGBEE = { name: 'zigbee', decoder: 'zigbee2mqtt', topic: 'devices/home/zigbee2mqtt/#', devices: [{ address: 'bath/climate', device: 'bath' }] };
const fromZigbee = (name: string, content: object, part: Partial<Frame> = {}): Frame => message('home', content, { source: 'bridge', topic: `devices/home/zigbee2mqtt/${name}`, ...part });

describe('a silent device', () => {
  const hourly = Array.from({ length: 61 }, (_, minute) => at(Minutes(minute), message('w', pulse(70 + (minute % 2)))));

  it('raises a technical event of low priority, with how long and how long allowed, and clears it with the next value', () => {
    const checkpoints = derive([bind('w'), ...hourly, at(Minutes(85), tick()), at(Minutes(92), tick()), at(Minutes(100), message('w', pulse(71)))]);
    expect(eventsOf(checkpoints)).toMatchObject([
      {
        rule: 'no-data w', why: 'raised', to: 'pending', kind: 'technical', priority: 'low', subject: 'patient/anna', message: 'w has measured nothing for 32 min (expected within 30 min)',
        evidence: new Map<string, unknown>([['condition', 'minutes_since("heart_rate") > 30'], ['values', [new Map<string, unknown>([['measurement', 'heart_rate'], ['value', 32], ['unit', 'min'], ['limit', 30]])]], ['frames', []]]),
      },
      { rule: 'no-data w', why: 'delay_over', to: 'active' }, { rule: 'no-data w', why: 'cleared', to: 'cleared' },
    ]);
  });

  it('is nothing any more to whom it belonged, and is told of to whoever has it next', () => {
    const otto = { kind: 'patient', id: 'otto' } as const;
    const events = eventsOf(derive([bind('w'), ...hourly, at(Minutes(95), tick()), at(Minutes(96), bind('w', otto)), at(Minutes(97), tick())]));
    expect(events.map(({ subject, rule, why }) => [subject, rule, why])).toEqual([
      ['patient/anna', 'no-data w', 'raised'], ['patient/anna', 'no-data w', 'withdrawn'], ['patient/otto', 'no-data w', 'raised'],
    ]);
  });

  it('has a timer frame asked for in time', () => {
    const deriver = deriverFrom();
    expect(deriver.deriveNow(runOf([bind('w'), ...hourly])).dueIn).toBe(Minutes(1));
    expect(deriver.deriveNow(runOf([at(Minutes(77), tick())], 63)).dueIn).toBe(Minutes(13));
  });

  it('is not missed because the gateway\'s clock was put forward', () => {
    const jumped = { ...at(Minutes(61), tick()), receivedAt: UnixMillis(START + 100 * 86_400_000) };
    expect(eventsOf(derive([bind('w'), ...hourly, jumped]))).toEqual([]);
  });

  it('is not missed because the gateway was away', () => {
    const started = { ...tick(), receivedAt: UnixMillis(START + Minutes(600)), uptime: Millis(500) };
    const later = (minutes: number): Frame => ({ ...started, uptime: Millis(Minutes(minutes)) });
    expect(eventsOf(derive([bind('w'), ...hourly, started, later(29)]))).toEqual([]);
    expect(eventsOf(derive([bind('w'), ...hourly, started, later(31)]))).toHaveLength(1);
  });
});

describe('a device\'s time', () => {
  const high = (time: number): object => pulse(150, { time });

  it('keeps alarms off what a device had kept for longer than five minutes', () => {
    const live = Array.from({ length: 3 }, (_, i) => at(i * 1000, message('w', pulse(70, { time: START + i * 1000 }))));
    const kept = at(Minutes(60), message('w', high(START + Minutes(10))));
    const now = at(Minutes(60) + 1000, message('w', high(START + Minutes(60))));
    const story = [rules(HIGH_PULSE), bind('w'), ...live];
    expect(eventsOf(derive([...story, kept, tick()]))).toEqual([]);
    expect(eventsOf(derive([...story, kept, now]))).toHaveLength(1);
  });

  it('of 1970, or set wrong by hours, keeps no alarm away', () => {
    for (const wrong of [-1_790_000_000_000, -5 * 3_600_000, 5 * 3_600_000]) {
      expect(eventsOf(derive([rules(HIGH_PULSE), bind('w'), message('w', high(START + wrong))]))).toHaveLength(1);
    }
  });

  it('gives what was measured before a change of hands to whom it belonged', () => {
    const otto = { kind: 'patient', id: 'otto' } as const;
    const frames = [
      bind('w'), message('w', pulse(70, { time: START })), at(Minutes(20), bind('w', otto)),
      at(Minutes(21), message('w', [{ ...pulse(71), time: START + Minutes(10) }, { ...pulse(72), time: START + Minutes(21) }])), at(Minutes(23), tick()),
    ];
    const summaries = derive(frames).flatMap(({ entries }) => entries).filter(({ sealed }) => sealed !== undefined)
      .map((entry) => saidIn(entry)).filter(({ measurements }) => measurements !== undefined);
    expect(summaries.map(({ subject, measurements }) => [subject, ((measurements as CborMap).get('heart_rate') as CborMap).get('last')])).toEqual([
      ['patient/anna', 70], ['patient/anna', 70], ['patient/anna', 71], ['patient/otto', 72],
    ]);
  });

  it('survives a gateway that boots in 1970 and is then corrected: nothing lost, nothing expired, nobody unbound', () => {
    const booted = (ms: number, frame: Frame): Frame => ({ ...frame, receivedAt: UnixMillis(ms), uptime: Millis(ms), clockTrust: 'implausible' });
    const frames = [
      at(0, rules(HIGH_PULSE)), at(0, bind('w')), at(1000, message('w', pulse(70))),
      // Power cut; the clock is gone.
      booted(500, message('w', pulse(71))), booted(1500, message('w', high(START))),
      at(Minutes(3), message('w', pulse(72))), at(Minutes(3), tick()),
    ];
    const checkpoints = derive(frames);
    expect(checkpoints.at(-1)?.totals).toMatchObject({ readings: 4, quarantined: {} });
    expect(eventsOf(checkpoints).map(({ why }) => why)).toEqual(['raised', 'told_again', 'cleared']);
  });
});

describe('somebody who speaks and reaches nobody', () => {
  it('is remembered with what it looks like: a stranger behind a connection', () => {
    const frames = [profiles(ZIGBEE), fromZigbee('cellar/leak', { water_leak: true, linkquality: 80 })];
    expect(strangersAfter(frames)).toMatchObject([{
      connection: 'home', address: 'cellar/leak', why: 'unapproved_device', messages: 1, looks: { family: 'zigbee2mqtt', filter: 'devices/home/zigbee2mqtt/#', measurements: ['water_leak', 'signal'] },
    }]);
  });

  it('is remembered under its topic when nobody reads that', () => {
    const topic = 'devices/home/z2m/bath/climate';
    expect(strangersAfter([fromZigbee('', { temperature: 21, humidity: 50 }, { topic })])).toMatchObject([{
      why: 'unknown_topic', topic, looks: { family: 'zigbee2mqtt', filter: 'devices/home/z2m/#', address: 'bath/climate', measurements: ['room_temperature', 'humidity'] },
    }]);
  });

  it('is forgotten when it is approved and bound', () => {
    const climate = fromZigbee('bath/climate', { temperature: 21 });
    expect(strangersAfter([profiles(ZIGBEE), climate])).toMatchObject([{ why: 'unbound_device', address: 'bath/climate' }]);
    expect(strangersAfter([profiles(ZIGBEE), climate, bind('bath', { kind: 'room', id: 'bath' }), climate])).toEqual([]);
  });

  it('is remembered as Home Assistant discovery announces it, until that is taken back', () => {
    const topic = 'devices/home/homeassistant/sensor/0x01/temperature/config';
    const announcement = { name: 'temperature', unique_id: '1', state_topic: 'zigbee2mqtt/bath/climate', unit_of_measurement: '°C', device_class: 'temperature', value_template: '{{ value_json.temperature }}' };
    const told = message('home', announcement, { source: 'bridge', topic });
    expect(strangersAfter([told])).toMatchObject([{ why: 'announced', address: '0x01/temperature', announced: [{ unit: 'Cel', valueField: 'temperature' }] }]);
    expect(strangersAfter([told, message('home', '', { source: 'bridge', topic })])).toEqual([]);
  });

  it('makes room for others when there are too many of them', () => {
    const crowd = Array.from({ length: 300 }, (_, i) => message('home', '?', { topic: `devices/home/t${i}` }));
    const strangers = strangersAfter(crowd);
    expect(strangers).toHaveLength(256);
    expect(strangers.some(({ topic }) => topic.endsWith('/t299'))).toBe(true);
    expect(strangers.some(({ topic }) => topic.endsWith('/t0'))).toBe(false);
  });
});

describe('what a profile expects', () => {
  it('keeps values out that the device cannot report', () => {
    const strict = { name: 'own', decoder: 'native-json', topic: 'devices/w/readings', expect: { heart_rate: { between: [40, 180] } }, class: 'wellness' };
    const state = fold(derive([profiles(strict), bind('w'), message('w', pulse(200)), message('w', pulse(100)), tick()]));
    expect(state.totals).toMatchObject({ readings: 1, quarantined: { implausible_value: 1 } });
    expect(state.devices.get('w' as never)).toMatchObject({ class: 'wellness', readings: 1, quarantined: 1 });
  });
});
