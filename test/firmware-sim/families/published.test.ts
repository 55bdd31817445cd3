import { describe, expect, it } from 'vitest';
import { cobsDecode, cobsEncode, crc16, dataPacket, PacketSender } from '../../../firmware-sim/cobs.ts';
import { FAMILIES } from '../../../firmware-sim/families/catalogue.ts';
import { bloodPressure, glucose, heartRate, plxContinuous, temperature, weight } from '../../../firmware-sim/families/gatt-values.ts';
import { FLOAT, float, SFLOAT, sfloat } from '../../../firmware-sim/families/ieee11073.ts';
import type { Snapshot } from '../../../firmware-sim/source.ts';
import { isoLocal, wallClockAt, zoneOffsetAt } from '../../../firmware-sim/wall-clock.ts';
import { Millis, UnixMillis } from '../../../gateway/quantity.ts';

const hex = (bytes: Iterable<number>): string => Buffer.from([...bytes]).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A state in which everything is given by hand. */
function state(more: Partial<Snapshot['body']> = {}, rest: Partial<Snapshot> = {}): Snapshot {
  return {
    sequence: 1,
    time: UnixMillis(Date.UTC(2026, 6, 15, 14, 30, 15)),
    battery: 80,
    sensorOff: false,
    room: { temperature: 21, humidity: 40, co2: 600, illuminance: 100, motion: false, doorOpen: false },
    body: {
      heartRate: 72, rrIntervals: [], spo2: 97, perfusion: 3, respiratoryRate: 15, skinTemperature: 33, bodyTemperature: 36.8,
      systolic: 120, diastolic: 80, mean: 93, weight: 70, glucose: 99, pleth: [], ...more,
    },
    ...rest,
  };
}

const payloadOf = (family: string, variant: string, snapshot: Snapshot): Uint8Array => {
  const { speaker } = FAMILIES.get(family) ?? expect.fail();
  return speaker({ device: 'x', variant, base: '', timeZone: 'UTC' }).say(snapshot)[0]?.payload ?? expect.fail();
};

describe('numbers of personal health devices', () => {
  it.each([
    [20, -1, 'f014'], [200, -2, 'e0c8'], [2, 1, '1002'], [-1234, 0, '0b2e'], [975, -1, 'f3cf'], [801, -1, 'f321'],
  ])('SFLOAT %d × 10^%d is %s (HL7 PHD IG, Floats; antidote test APDU)', (mantissa, exponent, expected) => {
    expect(sfloat(mantissa, exponent).toString(16).padStart(4, '0')).toBe(expected);
  });

  it.each([
    [20, -1, 'ff000014'], [200, -2, 'fe0000c8'], [2, 1, '01000002'], [-1234, 0, '00fffb2e'],
  ])('FLOAT %d × 10^%d is %s (HL7 PHD IG, Floats)', (mantissa, exponent, expected) => {
    expect(float(mantissa, exponent).toString(16).padStart(8, '0')).toBe(expected);
  });

  it('refuse what does not fit', () => {
    expect(() => sfloat(2046, 0)).toThrow('SFLOAT');
    expect(() => sfloat(1.5, 0)).toThrow('SFLOAT');
    expect(() => float(0x80_0000, 0)).toThrow('FLOAT');
  });
});

describe('characteristics as they were published', () => {
  it.each([
    ['heart rate 80', heartRate({ rate: 80 }), '0050'],
    ['heart rate 456 in two bytes', heartRate({ rate: 456 }), '01c801'],
    ['heart rate 75 with contact and 128 kJ', heartRate({ rate: 75, contact: true, energy: 128 }), '0e4b8000'],
    ['heart rate 90 with intervals of 2 s and 4 s', heartRate({ rate: 90, intervals: [2048, 4096] }), '105a00080010'],
    ['a cuff, 127/80, mean 97, pulse 59', bloodPressure({ systolic: 127, diastolic: 80, mean: 97, pulse: 59, status: 0 }), '147f00500061003b000000'],
    ['a cuff, 144/101, mean 125, pulse 59', bloodPressure({ systolic: 144, diastolic: 101, mean: 125, pulse: 59, status: 0 }), '14900065007d003b000000'],
    ['98 %, 72 /min', plxContinuous({ spo2: 98, pulse: 72 }), '0062004800'],
    ['97.5 %, 80.1 /min', plxContinuous({ spo2: sfloat(975, -1), pulse: sfloat(801, -1) }), '00cff321f3'],
    ['neither', plxContinuous({ spo2: SFLOAT.nan, pulse: SFLOAT.nan }), '00ff07ff07'],
    ['37.1 °C', temperature({ degrees: float(371, -1) }), '00730100ff'],
    ['no temperature', temperature({ degrees: FLOAT.nan }), '00ffff7f00'],
    ['84.1 kg on 10 January 2017 at 18:50:33', weight({ steps: 16_820, clock: { year: 2017, month: 1, day: 10, hour: 18, minute: 50, second: 33 } }), '02b441e107010a123221'],
    [
      'glucose 99 mg/dL, an hour back',
      glucose({
        sequence: 41, base: { year: 2017, month: 7, day: 15, hour: 10, minute: 15, second: 50 }, offset: -60,
        concentration: { amount: sfloat(99, -5), type: 1, location: 1 },
      }),
      '032900e107070f0a0f32c4ff63b011',
    ],
  ])('%s', (_what, got, expected) => {
    expect(hex(got)).toBe(expected);
  });
});

describe('oximeters as they were recorded', () => {
  it('Contec, 9 bytes: 60 /min, 99 %, waveform 19, no perfusion index', () => {
    // headrotor/contec_data: 01 E0 84 93 92 BC E3 FF FF; its signal strength is 4, ours 5.
    const packet = payloadOf('contec-9', 'plain', state({ heartRate: 60, spo2: 99, pleth: [19 / 127] }));
    expect(hex(packet)).toBe('01e0859392bce3ffff');
  });

  it('Contec, 5 bytes: a pulse rate above 127 has its highest bit elsewhere', () => {
    expect(hex(payloadOf('contec-5', 'plain', state({ heartRate: 180, spo2: 97, pleth: [51 / 127] })))).toBe('8533463461');
  });

  it('Nonin, format 2: frames of pez-globo/pufferfish-software', () => {
    const packet = payloadOf('nonin-2', 'values', state({ heartRate: 72, spo2: 97, pleth: Array.from({ length: 25 }, () => 1 / 255) }));
    expect(packet).toHaveLength(125);
    const frames = Array.from({ length: 25 }, (_, i) => packet.subarray(i * 5, i * 5 + 5));
    // SYNC in the first frame only; a green perfusion bit during the first 12.
    expect(frames.map((frame) => frame[1])).toEqual([0x83, ...Array.from({ length: 11 }, () => 0x82), ...Array.from({ length: 13 }, () => 0x80)]);
    expect(frames.slice(0, 3).map((frame) => frame[3])).toEqual([0, 0x48, 0x61]);
    for (const frame of frames) expect([...frame.subarray(0, 4)].reduce((sum, byte) => sum + byte, 0) % 256).toBe(frame[4]);
  });

  it('Nonin, format 8: missing values are 511 and 127', () => {
    expect(hex(payloadOf('nonin-8', 'values', state({ heartRate: 180 })))).toBe('81346100');
    expect(hex(payloadOf('nonin-8', 'values', state({}, { sensorOff: true, battery: 3 })))).toBe('837f7f09');
  });

  it('Nonin, format 13: binary coded decimals of the local time', () => {
    expect(hex(payloadOf('nonin-13', 'now', state()))).toBe('0002000d000e20260715143015000200004800616603');
  });
});

describe('the acknowledged serial protocol', () => {
  it('has the CRC-16/CCITT-FALSE of the catalogues', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0x29b1);
  });

  it.each([
    ['00', '0101'], ['0000', '010101'], ['11220033', '0311220233'], ['11223344', '0511223344'], ['11000000', '0211010101'],
  ])('encodes %s as %s (the usual examples of COBS)', (plain, encoded) => {
    expect(hex(cobsEncode(bytes(plain)))).toBe(encoded);
    expect(hex(cobsDecode([...bytes(encoded)]) ?? [])).toBe(plain);
  });

  it.each([253, 254, 255, 508, 509])('gives back %d bytes without a zero', (length) => {
    const plain = Array.from({ length }, (_, i) => 1 + (i % 255));
    expect(cobsDecode(cobsEncode(plain))).toEqual(plain);
    expect(cobsEncode(plain)).not.toContain(0);
  });

  it('refuses what no encoder makes', () => {
    expect(cobsDecode([5, 1])).toBeUndefined();
    expect(cobsDecode([1, 0])).toBeUndefined();
  });

  const answer = (type: number, sequence: number): Uint8Array => {
    const head = [type, sequence >> 8, sequence & 0xff];
    const crc = crc16(head);
    return Uint8Array.from([...cobsEncode([...head, crc >> 8, crc & 0xff]), 0]);
  };

  it('keeps up to 8 packets, and sends each again a second after it was last sent or refused', () => {
    const sender = new PacketSender(65_535);
    for (let i = 0; i < 8; i++) sender.keep(Uint8Array.of(i));
    expect(sender.hasRoom).toBe(false);
    expect(sender.due(Millis(0)).map(({ again }) => again)).toEqual(Array.from({ length: 8 }, () => false));
    expect(sender.due(Millis(999))).toEqual([]);
    expect(sender.hear(Buffer.concat([answer(2, 65_535), answer(2, 0), answer(3, 1)]), Millis(500))).toBe(2);
    expect([sender.hasRoom, sender.unanswered]).toEqual([true, 6]);
    expect(sender.due(Millis(1000))).toHaveLength(5);
    expect(sender.due(Millis(1500)).map(({ bytes: packet, again }) => [hex(packet), again])).toEqual([[hex(dataPacket(1, Uint8Array.of(2))), true]]);
  });

  it('does not believe an answer that is cut, broken or for nothing it sent', () => {
    const sender = new PacketSender(7);
    sender.keep(Uint8Array.of(1));
    const broken = answer(2, 7);
    broken[1] = 0x55;
    for (const heard of [broken, answer(2, 8), answer(2, 7).subarray(2), Uint8Array.of(0, 0, 1, 2, 0)]) expect(sender.hear(heard, Millis(0))).toBe(0);
    const [first, second] = [answer(2, 7).subarray(0, 3), answer(2, 7).subarray(3)];
    expect(sender.hear(first, Millis(0)) + sender.hear(second, Millis(0))).toBe(1);
  });
});

describe('a Contec oximeter that is told when to speak', () => {
  const conversation = () => FAMILIES.get('contec-9')?.serial?.conversation?.() ?? expect.fail();
  const command = (code: string): Uint8Array => bytes(`7D 81 ${code} 80 80 80 80 80 80`);

  it('is silent until it is started, and keeps on as long as it hears that somebody listens', () => {
    const device = conversation();
    expect(device.isWanted(Millis(0))).toBe(false);
    expect(hex(device.hear(command('AF'), Millis(0)))).toBe('');
    expect(device.isWanted(Millis(0))).toBe(false);
    device.hear(command('A1'), Millis(0));
    expect([device.isWanted(Millis(10_000)), device.isWanted(Millis(10_001))]).toEqual([true, false]);
    device.hear(command('AF'), Millis(9000));
    expect(device.isWanted(Millis(18_000))).toBe(true);
    device.hear(command('AF'), Millis(30_000));
    expect(device.isWanted(Millis(30_000))).toBe(false);
  });

  it('ends when it is told to, and answers that as it was recorded', () => {
    const device = conversation();
    device.hear(command('A1'), Millis(0));
    expect(hex(device.hear(command('A2'), Millis(1)))).toBe('0c80');
    expect(device.isWanted(Millis(1))).toBe(false);
  });

  it('finds a command among noise and in pieces', () => {
    const device = conversation();
    const stream = Buffer.concat([bytes('7D 7D 81 FF 00'), command('A1')]);
    for (const byte of stream) device.hear(Uint8Array.of(byte), Millis(0));
    expect(device.isWanted(Millis(0))).toBe(true);
  });
});

describe('a clock on a wall', () => {
  it('shows the time of its zone, summer time included', () => {
    const noon = UnixMillis(Date.UTC(2026, 6, 15, 12, 0, 7));
    expect(isoLocal(wallClockAt(noon, 'Europe/Berlin'))).toBe('2026-07-15T14:00:07');
    expect(zoneOffsetAt(noon, 'Europe/Berlin')).toBe(7_200_000);
    expect(isoLocal(wallClockAt(UnixMillis(0), 'UTC'))).toBe('1970-01-01T00:00:00');
  });

  it('refuses a zone that does not exist', () => {
    expect(() => wallClockAt(UnixMillis(0), 'Mars/Olympus')).toThrow('expected an IANA name');
  });
});
