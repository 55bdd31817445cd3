import { readFileSync } from 'node:fs';
import { encode } from 'cborg';
import type { DecoderInput } from '../../gateway/decode/decoder.ts';
import { FAMILIES } from '../../gateway/decode/families.ts';
import type { Family } from '../../gateway/decode/family.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Bench, BenchContext, Case } from './bench.ts';
import { median } from './figures.ts';

const SECONDS = 2;
const ROUNDS = 3;
/** What a user would say about channels with names of their own. */
const CHANNELS = {
  'urn:dev:ow:10e2073a01080063:temperature': { measurement: 'room_temperature' },
  'Supply Voltage': { measurement: 'signal', scale: 10 },
};

/** One message of each family, as its devices send it; those of the tests where they are long. */
function samples(): Readonly<Record<string, Readonly<{ topic?: string; payload: Uint8Array }>>> {
  const text = (payload: string): { payload: Uint8Array } => ({ payload: Buffer.from(payload, 'utf8') });
  const hex = (payload: string): { payload: Uint8Array } => ({ payload: Buffer.from(payload, 'hex') });
  const readings = { seq: 41, time: 1_800_000_000_123, measurement: 'spo2', value: 97, unit: '%' };
  return {
    'native-json': text(JSON.stringify(readings)),
    'native-cbor': { payload: encode(readings) },
    'senml-json': text('[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temperature","u":"Cel","v":23.1,"t":1800000000}]'),
    'senml-cbor': { payload: encode([new Map<number, unknown>([[-2, 'urn:dev:ow:10e2073a01080063:'], [0, 'temperature'], [1, 'Cel'], [2, 23.1], [6, 1_800_000_000]])]) },
    'csv-line': text('spo2,97,%,1800000000123,41'),
    gatt: { topic: '2a37', ...hex('105a00080010') },
    'gatt-hex': { topic: '2a37', ...text('105a00080010') },
    'gatt-line': text('AA:BB:CC:DD:EE:FF 2a37 105a00080010'),
    'nonin-2': hex(vector('oximeter', 'nonin-2-onyx-9560')),
    'contec-9': hex('01E0849392BCE3FFFF'.repeat(60)),
    sparkplug: { topic: 'spBv1.0/Sparkplug B Devices/NBIRTH/Raspberry Pi', ...hex(vector('sparkplug', 'nbirth-of-the-specification')) },
  };
}

/** The payload of a test vector, in hexadecimal digits. */
function vector(family: string, name: string): string {
  const file = new URL(`../decode/${family}-vectors/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { hex: string }).hex.replaceAll(' ', '');
}

export const decode: Bench = {
  name: 'decode',
  summary: 'Messages and values per second through the decoder of each device family, profile included',
  run: async (context) => {
    const cases: Case[] = [];
    for (const [name, { topic = '', payload }] of Object.entries(samples())) {
      const family = FAMILIES.get(name);
      if (family === undefined) throw new Error(`there is no family ${name}`);
      cases.push(await measure(family, { topic, payload, receivedAt: UnixMillis(1_800_000_000_123) }, context));
    }
    const native = cases.find(({ name }) => name === 'native-json')?.figures['messages_per_s'] ?? NaN;
    const compared = cases.map(({ name, figures }) => ({ name, figures: { ...figures, ratio_to_native_json: (figures['messages_per_s'] ?? NaN) / native } }));
    return { cases: compared, targets: [], notes: ['one thread, the same message again and again; a second of an oximeter is one message of 61 or 27 values'] };
  },
};

async function measure(family: Family, input: DecoderInput, { options, progress, signal }: BenchContext): Promise<Case> {
  const rounds = options.rounds ?? ROUNDS;
  const seconds = (options.seconds ?? (options.quick ? 0.3 : SECONDS)) / rounds;
  const rates: number[] = [];
  const profile = { name: family.name, decoder: family.name, topic: '#', channels: CHANNELS };
  const { message } = family.interpret(input, undefined, profile);
  for (let round = 0; round <= rounds; round++) {
    signal.throwIfAborted();
    progress(`${family.name}: ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`);
    const rate = perSecond(() => family.interpret(input, undefined, profile), seconds);
    if (round > 0) rates.push(rate);
    await new Promise(setImmediate);
  }
  const rate = median(rates) ?? NaN;
  const values = message.readings.reduce((sum, { value }) => sum + (typeof value === 'number' ? 1 : value.length), 0);
  return { name: family.name, figures: { payload_bytes: input.payload.length, messages_per_s: rate, values_per_s: rate * values } };
}

/** Looks at the clock once in a hundred calls. */
function perSecond(call: () => unknown, seconds: number): number {
  const start = performance.now();
  const end = start + seconds * 1000;
  let calls = 0;
  do {
    for (let i = 0; i < 100; i++) call();
    calls += 100;
  } while (performance.now() < end);
  return (calls * 1000) / (performance.now() - start);
}
