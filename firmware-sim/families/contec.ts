/**
 * Contec CMS50 oximeters, 60 packets a second; a message is a second of them.
 *
 * Nine bytes, 115200 8N1 ("Communication protocol of pulse oximeter V7.0", and recordings of headrotor/contec_data). Bit 7 is
 * clear in the first byte only, so that of the seven data bytes travels in the second:
 *
 *     0  01       1  1 | bit 7 of the bytes 2 to 8, lowest first
 *     2  probe error | beep | low SpO2 | searching too long | signal strength 0 to 8
 *     3  searching | pulse wave            4  - | - | - | no perfusion index | bar graph 0 to 15
 *     5  pulse rate                        6  SpO2
 *     7  perfusion index in hundredths of a per cent, low byte then high byte
 *
 * Five bytes, 19200 8O1 (the vendor's manual in a published translation, and atbrask/CMS50Dplus); bit 7 marks the first:
 *
 *     0  1 | beep | low SpO2 | searching too long | signal strength
 *     1  0 | pulse wave                    2  0 | pulse rate bit 7 | searching | probe error | bar graph
 *     3  0 | pulse rate, bits 6 to 0       4  0 | SpO2
 *
 * The nine-byte kind speaks when it was told to; the other one is a one-way stream.
 */

import { type Millis, Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import type { Conversation } from './conversation.ts';
import { type Family, messageOf, rounded, type Told, told } from './family.ts';

const RATE = 60;
const PLETH = { samples: RATE, rate: RATE } as const;
const FULL_SCALE = 0x7f;
/** A finger that is out: a flat line in the middle. */
const FLAT = 0x40;
const BEEP_ABOVE = 0.75;

export const contec9: Family = {
  name: 'contec-9',
  summary: 'Contec CMS50 oximeter, 9 bytes: silent until it is started, and again without keep-alive',
  every: Seconds(1),
  variants: ['perfusion', 'plain'],
  mqtt: false,
  serial: { baudRate: 115_200, parity: 'none', framings: ['own'], conversation: () => new ContecConversation() },
  pleth: PLETH,
  speaker: ({ variant }) => ({ say: (snapshot) => [second(snapshot, variant === 'perfusion', nineBytes)] }),
};

export const contec5: Family = {
  name: 'contec-5',
  summary: 'Contec CMS50 oximeter of before, 5 bytes: a one-way stream',
  every: Seconds(1),
  variants: ['plain'],
  mqtt: false,
  serial: { baudRate: 19_200, parity: 'odd', framings: ['own'] },
  pleth: PLETH,
  speaker: () => ({ say: (snapshot) => [second(snapshot, false, fiveBytes)] }),
};

/** One sixtieth of a second. */
type Sample = Readonly<{ wave: number; beep: boolean; out: boolean; pulse: number; spo2: number; perfusion: number | undefined }>;

function second({ body, sensorOff }: Snapshot, withPerfusion: boolean, encode: (sample: Sample) => readonly number[]): ReturnType<typeof messageOf> {
  const [pulse, spo2, hundredths] = [rounded(body.heartRate), rounded(body.spo2), Math.round(body.perfusion * 100)];
  const samples = body.pleth.slice(0, RATE).map((sample): Sample => {
    const wave = sensorOff ? FLAT : Math.round(Math.min(1, Math.max(0, sample)) * FULL_SCALE);
    const numbers = sensorOff ? { pulse: 0xff, spo2: 0x7f, perfusion: undefined } : { pulse, spo2, perfusion: withPerfusion ? hundredths : undefined };
    return { wave, beep: !sensorOff && sample > BEEP_ABOVE, out: sensorOff, ...numbers };
  });
  const index: readonly Told[] = withPerfusion ? [told('perfusion_index', hundredths / 100)] : [];
  const tells = sensorOff ? [] : [told('spo2', spo2), told('pulse_rate', pulse), ...index, told('ppg', samples.map(({ wave }) => wave / FULL_SCALE))];
  return messageOf('', Uint8Array.from(samples.flatMap(encode)), tells);
}

const bit = (n: number, on: boolean): number => (on ? 1 << n : 0);
/** Of 8; the vendor's software draws as many bars. */
const STRENGTH = 5;
const barOf = (wave: number): number => wave >> 3;

function nineBytes({ wave, beep, out, pulse, spo2, perfusion }: Sample): readonly number[] {
  const data = [
    bit(7, out) | bit(6, beep) | (out ? 0 : STRENGTH), wave, bit(4, perfusion === undefined) | barOf(wave), pulse, spo2,
    (perfusion ?? 0xffff) & 0xff, (perfusion ?? 0xffff) >> 8,
  ];
  const high = data.reduce((bits, byte, i) => bits | ((byte >> 7) << i), 0x80);
  return [0x01, high, ...data.map((byte) => byte | 0x80)];
}

function fiveBytes({ wave, beep, out, pulse, spo2 }: Sample): readonly number[] {
  return [0x80 | bit(6, beep) | (out ? 0 : STRENGTH), wave, bit(6, pulse > 0x7f) | bit(4, out) | barOf(wave), pulse & 0x7f, spo2];
}

const COMMAND_LENGTH = 9;
const START = 0xa1;
const STOP = 0xa2;
const KEEP_ALIVE = 0xaf;
/** The answer to a command that asks for no data: package 0x0C, "free feedback", with nothing in it (recordings). */
const FEEDBACK = Uint8Array.of(0x0c, 0x80);
/** The host is to say every 5 s that it listens. How long the device waits is not documented: two of these. */
const PATIENCE = Seconds(10);

/** `7D 81 <command> 80 80 80 80 80 80`, bit 7 clear in the first byte only: found among whatever else comes. */
class ContecConversation implements Conversation {
  #heard: readonly number[] = [];
  #lastAlive: Millis | undefined;

  hear(bytes: Uint8Array, now: Millis): Uint8Array {
    const answers: Uint8Array[] = [];
    for (const byte of bytes) {
      this.#heard = [...this.#heard, byte].slice(-COMMAND_LENGTH);
      const [head, high, command] = this.#heard;
      const isWhole = this.#heard.length === COMMAND_LENGTH && this.#heard.slice(1).every((each) => each >= 0x80);
      if (isWhole && head === 0x7d && high === 0x81) answers.push(this.#obey(command, now));
    }
    return Buffer.concat(answers);
  }

  isWanted(now: Millis): boolean {
    return this.#lastAlive !== undefined && now - this.#lastAlive <= PATIENCE;
  }

  #obey(command: number | undefined, now: Millis): Uint8Array {
    this.#heard = [];
    if (command === START || (command === KEEP_ALIVE && this.isWanted(now))) this.#lastAlive = now;
    if (command === START || command === KEEP_ALIVE) return new Uint8Array(0);
    if (command === STOP) this.#lastAlive = undefined;
    return FEEDBACK;
  }
}
