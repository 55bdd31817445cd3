import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDiscovery, suggestedMeasurement, type Discovery } from '../../gateway/decode/home-assistant.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { frame, readVectors } from './topic-vectors.ts';

const vectors = readVectors('home-assistant');
const TOPIC = 'homeassistant/device/d/config';

function outcome(topic: string, text: string): Discovery | QuarantineReason {
  try {
    return readDiscovery(frame(topic, text));
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

function deviceOf(count: number, nameLength = 1): string {
  const components = Array.from({ length: count }, (_, i) => [`c${i}`, { p: 'sensor', stat_t: 'a', name: 'n'.repeat(nameLength) }] as const);
  return JSON.stringify({ dev: {}, o: {}, cmps: Object.fromEntries(components) });
}

const refused = (topic: string, text: string): string[] => {
  try {
    return readDiscovery(frame(topic, text)).rejected.map(({ message }) => message);
  } catch (error) {
    return [(error as Error).message];
  }
};

describe('a discovery message', () => {
  it.each(vectors)('$name: $desc', ({ topic, text = '', want, wantReason }) => {
    const got = outcome(topic, text);
    if (wantReason !== undefined || typeof got === 'string') return expect(got).toBe(wantReason);
    return expect({ ...got, rejected: got.rejected.map(({ reason }) => reason) }).toEqual(want);
  });

  it('is never repeated in a reason: it may be about a patient', () => {
    const sensor = { p: 'sensor', stat_t: 'a' };
    const cmps = { a: { ...sensor, name: { Anna: 1 } }, b: { ...sensor, name: 'Anna'.repeat(50) }, c: { ...sensor, stat_t: ['Anna'] }, d: 'Anna' };
    const device = refused(TOPIC, JSON.stringify({ dev: {}, o: {}, cmps }));
    expect(device).toHaveLength(4);
    const others = ['Anna', '"Anna"', '{"dev":"Anna"}'].flatMap((text) => refused(TOPIC, text));
    expect(others).toHaveLength(3);
    for (const message of [...device, ...others, ...refused('Anna', '')]) expect(message).not.toContain('Anna');
  });

  it('may announce 256 components with names of 128 characters', () => {
    expect(outcome(TOPIC, deviceOf(256, 128))).toMatchObject({ rejected: [] });
    expect(outcome(TOPIC, deviceOf(257))).toBe('too_complex');
  });

  it('has units in UCUM or none', () => {
    const units = {
      '°C': 'Cel', ppm: '[ppm]', mmHg: 'mm[Hg]', bpm: '/min', lb: '[lb_av]', '\u00b5g/m³': 'ug/m3', '\u03bcg/m³': 'ug/m3', hPa: 'hPa',
    };
    for (const [unit, ucum] of Object.entries(units)) {
      expect(outcome('h/sensor/t/config', JSON.stringify({ stat_t: 'a', unit_of_meas: unit }))).toMatchObject({ announced: [{ unit: ucum }] });
    }
  });

  it('never has its template executed: what is read of one is a plain name or nothing', () => {
    const PIECES = ['{{', '}}', ' ', 'value', 'value_json', '.', '[', ']', "'", '"', 'x', '|', 'round', '(', ')', '{%', '\\', '__class__'];
    const PLAIN = /^\s*\{\{\s*value_json(?:\.\w+|\['[^']+'\]|\["[^"]+"\])\s*\}\}\s*$/;
    const piece = fc.constantFrom(...PIECES, '{{value_json', "['x']", '.x');
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const { announced } = readDiscovery(frame('h/sensor/t/config', JSON.stringify({ stat_t: 'a', val_tpl: pieces.join('') })));
      const [{ valueField, valueReason } = {}] = announced;
      expect((valueField === undefined) !== (valueReason === undefined)).toBe(true);
      if (valueField !== undefined && valueField !== '') expect(pieces.join('')).toMatch(PLAIN);
    }), { numRuns: 5000 });
  });
});

describe('a suggestion', () => {
  const classes = [
    'temperature', 'humidity', 'carbon_dioxide', 'illuminance', 'battery', 'motion', 'occupancy', 'presence', 'door', 'window', 'opening',
    'atmospheric_pressure', 'pm25', 'volatile_organic_compounds_parts', 'power', 'moisture', 'smoke', 'constructor', '',
  ];

  it('is a measurement of ours', () => {
    const suggested = ['sensor', 'binary_sensor'].flatMap((component) => classes.map((deviceClass) => suggestedMeasurement({ component, deviceClass })));
    for (const each of suggested) if (each !== undefined) expect(MEASUREMENTS.has(each)).toBe(true);
    expect(suggested.filter((each) => each !== undefined)).toHaveLength(17);
  });

  it('is not made where it would not be honest', () => {
    expect(suggestedMeasurement({ component: 'sensor', deviceClass: 'temperature' })).toBe('room_temperature');
    expect(suggestedMeasurement({ component: 'binary_sensor', deviceClass: 'battery' })).toBeUndefined();
    expect(suggestedMeasurement({ component: 'sensor', deviceClass: 'weight' })).toBeUndefined();
    expect(suggestedMeasurement({ component: 'sensor' })).toBeUndefined();
  });
});

describe('any bytes', () => {
  // Seen as a decoder, so that the same mutations can be tried.
  const discovery = {
    name: 'home-assistant', version: 1,
    decode: (input: Parameters<typeof readDiscovery>[0]) => ({ channels: [], notices: [], ...readDiscovery(input) }),
  };
  const good = vectors.filter(({ want }) => want !== undefined).map(({ topic, text = '' }) => frame(topic, text));
  itSurvivesMutatedFrames(discovery, good, {
    accepts: (decoded) => {
      const { announced, removed } = decoded as unknown as Discovery;
      return announced.length <= (removed ? 0 : 256) && announced.every((each) => each.stateTopic !== '' && each.uniqueId !== ''
        && each.name.length <= 128 && (each.valueField === undefined) !== (each.valueReason === undefined)
        && !(each.unit !== undefined && each.foreignUnit === true));
    },
  });
});
