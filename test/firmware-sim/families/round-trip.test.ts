import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../../firmware-sim/families/catalogue.ts';
import type { Family, Message, Speaker, Told } from '../../../firmware-sim/families/family.ts';
import type { Snapshot } from '../../../firmware-sim/source.ts';
import { FAMILIES as GATEWAY_FAMILIES } from '../../../gateway/decode/families.ts';
import { readDiscovery } from '../../../gateway/decode/home-assistant.ts';
import type { Interpretation } from '../../../gateway/decode/family.ts';
import { createFraming, FRAMINGS } from '../../../gateway/ingest/serial-frames.ts';
import type { Reading } from '../../../gateway/reading.ts';
import { UnixMillis } from '../../../gateway/quantity.ts';
import { snapshots, TRUTH } from './snapshots.ts';

const ZONE = 'Europe/Berlin';
const RUNS = 40;

const speakerOf = ({ speaker }: Family, variant: string, name?: string): Speaker =>
  speaker({ device: 'clip-7', variant, base: 'home', timeZone: ZONE, ...(name === undefined ? {} : { name }) });

/** The gateway's side of a connection, from its first message on. */
class Receiver {
  readonly #family: string;
  #memory: unknown;

  constructor(family: string) {
    this.#family = family;
  }

  take({ topic, payload }: Pick<Message, 'topic' | 'payload'>, receivedAt: UnixMillis): Interpretation {
    const family = GATEWAY_FAMILIES.get(this.#family) ?? expect.fail(`the gateway knows no ${this.#family}`);
    const profile = { name: 'test', decoder: this.#family, topic: '#' };
    const taken = family.interpret({ topic, payload, receivedAt, timeZone: ZONE }, this.#memory, profile);
    if ('memory' in taken) this.#memory = taken.memory;
    return taken;
  }
}

const textOf = ({ measurement }: { measurement: string }): string => measurement;

/** The same values, in any order; binary fractions of floats and conversions leave a little noise. */
function expectSame(readings: readonly Reading[], tells: readonly Told[]): void {
  expect(readings.map(textOf).toSorted()).toEqual(tells.map(textOf).toSorted());
  const left = [...readings];
  for (const { measurement, value } of tells) {
    const at = left.findIndex((reading) => reading.measurement === measurement && isNear(reading.value, value));
    const others = left.filter((reading) => reading.measurement === measurement);
    if (at < 0) expect.fail(`${measurement} ${JSON.stringify(value)} was put in, and came out as ${JSON.stringify(others)}`);
    left.splice(at, 1);
  }
}

function isNear(got: Reading['value'], put: Told['value']): boolean {
  const [gotAll, putAll] = [[got].flat(), [put].flat()];
  return gotAll.length === putAll.length && gotAll.every((each, i) => Math.abs(each - (putAll[i] ?? Number.NaN)) <= 1e-5 * Math.max(1, Math.abs(each)));
}

/** What is told is what is, as far as the format resolves it. */
function expectTrue(tells: readonly Told[], snapshot: Snapshot): void {
  for (const { measurement, value } of tells) {
    const truth = TRUTH.get(measurement);
    if (truth === undefined || typeof value !== 'number') continue;
    if (Math.abs(value - truth.of(snapshot)) > truth.within + 1e-9) expect.fail(`${measurement} is ${truth.of(snapshot)}, and was told as ${value}`);
  }
}

const OF_THE_BODY = new Set(['heart_rate', 'pulse_rate', 'rr_interval', 'spo2', 'perfusion_index', 'respiratory_rate', 'skin_temperature', 'ppg']);

const cases = [...FAMILIES.values()].flatMap((family) => family.variants.map((variant) => [family.name, variant, family] as const));

describe('what a simulated device says', () => {
  it('is spoken for every family the gateway understands', () => {
    // Announcements are no family of a device: devices of others make them.
    const spoken = [...GATEWAY_FAMILIES.keys()].filter((name) => name !== 'home-assistant');
    expect([...FAMILIES.keys()].toSorted()).toEqual(spoken.toSorted());
  });

  it.each(cases)('%s (%s) is understood as it was meant, whatever the state', (name, variant, family) => {
    fc.assert(fc.property(fc.array(snapshots(family.pleth?.samples ?? 0), { minLength: 1, maxLength: 4 }), (states) => {
      const [speaker, receiver] = [speakerOf(family, variant), new Receiver(name)];
      const greeting = states.slice(0, 1).map((state) => [state, [speaker.will?.(), ...(speaker.greet?.(state) ?? [])].filter((each) => each !== undefined)] as const);
      for (const [state, messages] of [...greeting, ...states.map((each) => [each, undefined] as const)]) {
        for (const message of messages ?? speaker.say(state)) {
          const { message: { readings, rejected }, notices } = receiver.take(message, state.time);
          expect(rejected).toEqual([]);
          expectSame(readings, message.tells);
          expectTrue(message.tells, state);
          if (state.sensorOff) expect(message.tells.map(textOf).filter((each) => OF_THE_BODY.has(each))).toEqual([]);
          else expect(notices).not.toContain('sensor_off');
        }
      }
    }), { numRuns: RUNS });
  });

  it.each(cases)('%s (%s) vouches for healthy values: no alarm would be missed', (name, variant, family) => {
    if (variant === 'memory') return;
    fc.assert(fc.property(snapshots(family.pleth?.samples ?? 0), (state) => {
      const [speaker, receiver] = [speakerOf(family, variant), new Receiver(name)];
      const healthy = { ...state, sensorOff: false };
      speaker.will?.();
      for (const message of [...(speaker.greet?.(healthy) ?? []), ...speaker.say(healthy)]) {
        for (const reading of receiver.take(message, state.time).message.readings) expect(reading.doubt).toBeUndefined();
      }
    }), { numRuns: 10 });
  });

  it.each<[family: string, variant: string, resolution: number, delay: number]>([
    ['native-json', 'values', 1, 0], ['native-cbor', 'values', 1, 0], ['csv-line', 'values', 1, 0], ['senml-json', 'clock', 1, 10_000],
    ['senml-cbor', 'no-clock', 1, 10_000], ['gatt', '2a1c', 1000, 0], ['gatt', '2a35', 1000, 0], ['gatt-hex', '2a18', 1000, 0], ['gatt', '2a9d', 1000, 0],
    ['nonin-13', 'now', 1000, 0], ['sparkplug', 'values', 1, 0], ['zigbee2mqtt', '2.x', 1, 0], ['tasmota', 'celsius', 1000, 0], ['shelly', 'values', 1, 0],
  ])('%s (%s) tells its time', (name, variant, resolution, delay) => {
    const family = FAMILIES.get(name) ?? expect.fail();
    // Not in the hour that a clock on the wall shows twice.
    const time = UnixMillis(Date.UTC(2026, 6, 15, 12, 30, 15, 678));
    fc.assert(fc.property(snapshots(family.pleth?.samples ?? 0), (state) => {
      const speaker = speakerOf(family, variant);
      const receiver = new Receiver(name);
      const now = { ...state, time, sensorOff: false };
      speaker.will?.();
      const times = [...(speaker.greet?.(now) ?? []), ...speaker.say(now)]
        .flatMap((message) => receiver.take(message, time).message.readings)
        .flatMap(({ deviceTime }) => (deviceTime === undefined ? [] : [deviceTime]));
      expect(times.length).toBeGreaterThan(0);
      for (const each of times) {
        expect(each).toBeGreaterThanOrEqual(time - (time % resolution) - delay);
        expect(each).toBeLessThanOrEqual(time);
      }
    }), { numRuns: 8 });
  });

  it.each([
    'gatt', 'gatt-hex', 'gatt-line', 'zigbee2mqtt', 'sparkplug', 'esphome', 'tasmota', 'shelly',
  ])('%s names the device, slash and blank included where topics allow', (name) => {
    const family = FAMILIES.get(name) ?? expect.fail();
    const called = name === 'gatt-line' ? 'AA:BB:CC:DD:EE:01' : name === 'sparkplug' ? 'Raspberry Pi' : 'living room/window';
    fc.assert(fc.property(snapshots(0), (state) => {
      const [speaker, receiver] = [speakerOf(family, family.variants[0], called), new Receiver(name)];
      speaker.will?.();
      for (const message of [...(speaker.greet?.(state) ?? []), ...speaker.say(state)]) {
        const { address, message: { readings } } = receiver.take(message, state.time);
        if (readings.length > 0) expect(address).toContain(called);
        expect(readings).toHaveLength(message.tells.length);
      }
    }), { numRuns: 8 });
  });
});

describe('what a simulated device says of itself', () => {
  const notices = (name: string, state: Partial<Snapshot>, variant = FAMILIES.get(name)?.variants[0] ?? ''): readonly string[] => {
    const family = FAMILIES.get(name) ?? expect.fail();
    const [speaker, receiver] = [speakerOf(family, variant), new Receiver(name)];
    const [snapshot] = fc.sample(snapshots(family.pleth?.samples ?? 0), { numRuns: 1, seed: 7 });
    const now = { ...(snapshot ?? expect.fail()), battery: 80, sensorOff: false, ...state };
    speaker.will?.();
    speaker.greet?.(now).forEach((message) => receiver.take(message, now.time));
    return speaker.say(now).flatMap((message) => receiver.take(message, now.time).notices);
  };

  it.each<[string, string?]>([
    ['gatt', '2a37'], ['gatt', '2a5f'], ['nonin-2'], ['nonin-7'], ['nonin-8'], ['contec-9'], ['contec-5'],
  ])('%s %s: that its sensor is off', (name, variant) => {
    expect(notices(name, { sensorOff: true }, variant)).toEqual(['sensor_off']);
    expect(notices(name, { sensorOff: false }, variant)).toEqual([]);
  });

  it.each<[string, string?]>([['nonin-2'], ['nonin-7'], ['nonin-8'], ['nonin-13'], ['gatt', '2a18']])('%s %s: that its battery is low', (name, variant) => {
    expect(notices(name, { battery: 3 }, variant)).toEqual(['battery_low']);
    expect(notices(name, { battery: 80 }, variant)).toEqual([]);
  });

  it('zigbee2mqtt: that its battery is low', () => {
    expect(notices('zigbee2mqtt', { battery: 3 })).toEqual(['battery_low', 'battery_low', 'battery_low']);
  });

  it('shelly: that its sensors cannot be read', () => {
    expect(notices('shelly', { sensorOff: true })).toEqual([]);
    const family = FAMILIES.get('shelly') ?? expect.fail();
    const [snapshot] = fc.sample(snapshots(0), { numRuns: 1, seed: 7 });
    const greeting = speakerOf(family, 'values').greet?.({ ...(snapshot ?? expect.fail()), sensorOff: true }) ?? [];
    expect(greeting.flatMap((message) => new Receiver('shelly').take(message, UnixMillis(1)).notices)).toEqual(['online', 'sensor_fault']);
  });

  it.each(['zigbee2mqtt', 'esphome', 'tasmota', 'shelly', 'sparkplug'])('%s: that it is there, and by its will that it is gone', (name) => {
    const family = FAMILIES.get(name) ?? expect.fail();
    for (const variant of family.variants) {
      const [speaker, receiver] = [speakerOf(family, variant), new Receiver(name)];
      const [snapshot] = fc.sample(snapshots(0), { numRuns: 1, seed: 7 });
      const now = snapshot ?? expect.fail();
      const will = speaker.will?.() ?? expect.fail();
      const seen = (speaker.greet?.(now) ?? []).flatMap((message) => receiver.take(message, now.time).notices);
      expect(new Set(seen)).toEqual(new Set(['online']));
      expect(receiver.take(will, now.time).notices).toEqual(['offline']);
    }
  });
});

describe('frames on a serial line', () => {
  const own = [...FAMILIES.values()].filter(({ serial }) => serial?.framings.includes('own') === true);

  it.each(own.map((family) => [family.name, family] as const))('%s are cut as they were sent, whatever the chunks', (name, family) => {
    const framing = FRAMINGS.find((each) => each === name) ?? expect.fail();
    fc.assert(fc.property(fc.array(snapshots(family.pleth?.samples ?? 0), { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 97 }), (states, size) => {
      const cutter = createFraming(framing, { onDropped: ({ reason }) => expect.fail(reason) });
      const sent = states.map((state) => speakerOf(family, family.variants[0]).say(state)[0]?.payload ?? expect.fail());
      const stream = Buffer.concat(sent);
      const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) => stream.subarray(i * size, (i + 1) * size));
      const payloads = [...chunks.flatMap((chunk) => cutter.push(chunk)), ...cutter.close()];
      expect(payloads.map(({ payload }) => Buffer.from(payload).toString('hex'))).toEqual(sent.map((bytes) => Buffer.from(bytes).toString('hex')));
    }), { numRuns: 20 });
  });
});

describe('what is announced to Home Assistant', () => {
  it.each(['zigbee2mqtt', 'esphome'])('%s leads to the topic of every value, with its unit', (name) => {
    const family = FAMILIES.get(name) ?? expect.fail();
    const speaker = family.speaker({ device: 'clip-7', name: 'bedroom', variant: family.variants[0], base: 'home', discovery: 'homeassistant' });
    const [snapshot] = fc.sample(snapshots(0), { numRuns: 1, seed: 7 });
    const now = { ...(snapshot ?? expect.fail()), sensorOff: false };
    const announced = (speaker.greet?.(now) ?? []).filter(({ absolute }) => absolute === true);
    const found = announced.map(({ topic, payload, retain }) => {
      expect(retain).toBe(true);
      const { announced: values, rejected } = readDiscovery({ topic, payload });
      expect(rejected).toEqual([]);
      return values[0] ?? expect.fail(`nothing is announced under ${topic}`);
    });
    const said = new Map(speaker.say(now).map(({ topic, payload }) => [`home/${topic}`, Buffer.from(payload).toString()]));
    for (const { stateTopic, valueField, component, unit, foreignUnit } of found) {
      const payload = said.get(stateTopic) ?? expect.fail(`nothing is said under ${stateTopic}`);
      expect(foreignUnit).toBeUndefined();
      if (component === 'sensor') expect(unit).toBeDefined();
      if (valueField !== '') expect(JSON.parse(payload)).toHaveProperty(valueField ?? '?');
    }
    expect(found.find(({ deviceClass }) => deviceClass === 'door')?.inverted).toBe(name === 'zigbee2mqtt' ? true : undefined);
    expect(new Set(found.map(({ uniqueId }) => uniqueId)).size).toBe(found.length);
  });
});
