/** What people wear, with its habits: it slips, it is charged, it sees artefacts and flags most of them. */

import { plxContinuous, bloodPressure } from '../families/gatt-values.ts';
import { SFLOAT, sfloat } from '../families/ieee11073.ts';
import type { Random } from '../random.ts';
import type { Person, Worn } from './cast.ts';
import { isUp } from './daily-life.ts';
import { clamp, Spells } from './drift.ts';
import { isNight } from './fate.ts';
import { Charge, rounded, Speaker, type Gadget, type Scene, type Value, type Wire } from './gadget.ts';

const HOUR = 3600;

/** All that one person wears. */
export function wornBy(person: Person, wire: Wire): readonly Gadget[] {
  return person.worn.map((worn) => {
    const device = `${person.id}-${worn.replace('_', '-')}`;
    return { device, ...MAKERS[worn](device, person, wire) };
  });
}

type Made = Omit<Gadget, 'device'>;
type Maker = (device: string, person: Person, wire: Wire) => Made;

const ofPatient = ({ id }: Person, look: Gadget['look']): Made => ({ subject: `patient/${id}`, look });

/** The wearable that stands for whoever wears several: what the script says of "the device" is about it. */
const isMain = ({ worn }: Person, which: Worn): boolean => worn[0] === which;

const wristLike = (hasPulse: boolean): Maker => (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 50 * HOUR, keeps: true });
  const own = wire.random.split(`${device} habits`);
  const contact = new Spells(7 * HOUR, 140, own.split('contact'));
  const charge = new Charge(own.between(60, 130) * HOUR, 1.3 * HOUR, own.split('charge'));
  const every = person.kind === 'frail' || person.kind === 'heart_failure' ? 48 : 60;
  const main = isMain(person, hasPulse ? 'wrist' : 'pedometer');
  const falls = new FallSense(own.split('falls'));
  let stuck: number | undefined;
  return ofPatient(person, (scene) => {
    const { level, worn } = charge.follow(main ? scene : { ...scene, acting: () => undefined });
    const touches = !contact.at(scene.now);
    const fell = falls.look(scene);
    if (fell !== undefined && worn && touches && level > 0) speaker.say(scene, [['fall', fell]]);
    if (!speaker.due(scene, every) || level <= 0 || (main && scene.acting('drop_out') !== undefined)) return;
    const onSkin = worn && touches;
    const values: Value[] = onSkin ? [['steps', scene.body().steps]] : [];
    if (onSkin && hasPulse) {
      const rate = rounded(scene.body().heartRate + wristError(scene, own));
      stuck = main && scene.acting('flat_line') !== undefined ? (stuck ?? rate) : undefined;
      values.push(['heart_rate', stuck ?? rate]);
    }
    if (onSkin && speaker.due(scene, 5 * every, every)) values.push(['skin_temperature', rounded(scene.body().skin, 1)]);
    if (speaker.due(scene, 30 * every, every)) values.push(['battery', rounded(level)]);
    speaker.say(scene, values);
  });
};

/** Of falls a wrist feels so many; and takes a heavy sitting down for one every so often, in seconds. */
const FELT = 0.85;
const FALSE_FALL_EVERY = 25 * 24 * HOUR;

/** An acceleration sensor that looks for falls: it says 1 when it takes something for one, and 0 a minute later. */
class FallSense {
  readonly #random: Random;
  #onFloor = false;
  #clearAt: number | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  look({ now, stride, stay }: Scene): 0 | 1 | undefined {
    const onFloor = stay.doing === 'on_floor';
    const fell = onFloor && !this.#onFloor && this.#random.chance(FELT);
    this.#onFloor = onFloor;
    const mistaken = isUp(stay.doing) && this.#random.chance(stride / FALSE_FALL_EVERY);
    if (fell || mistaken) {
      this.#clearAt = now + 60;
      return 1;
    }
    if (this.#clearAt === undefined || now < this.#clearAt) return undefined;
    this.#clearAt = undefined;
    return 0;
  }
}

/** Light at the wrist loses the pulse now and then when the arm moves, and takes the steps for it. */
function wristError({ moves, stay }: Scene, random: Random): number {
  if (!isUp(stay.doing) || !random.chance(moves ? 0.06 : 0.004)) return random.gaussian();
  return random.between(-20, 28);
}

/** Seconds. */
const BEATS_EVERY = 28;

/** An electrocardiogram patch. */
const patch: Maker = (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 60 * HOUR, keeps: true });
  const own = wire.random.split(`${device} habits`);
  const contact = new Spells(20 * HOUR, 240, own.split('contact'));
  const charge = new Charge(own.between(80, 120) * HOUR, 1.2 * HOUR, own.split('charge'));
  return ofPatient(person, (scene) => {
    const { level, worn } = charge.follow({ ...scene, acting: () => undefined });
    const touches = !contact.at(scene.now);
    if (!speaker.due(scene, BEATS_EVERY)) return;
    const values: Value[] = [];
    if (worn && touches) {
      const { heartRate, respiratoryRate, core } = scene.body();
      // A loose electrode misses beats.
      const missed = scene.acting('contradiction') === undefined ? 1 : own.between(0.52, 0.68);
      values.push(['heart_rate', rounded(heartRate * missed)]);
      if (speaker.due(scene, 3 * BEATS_EVERY, BEATS_EVERY)) values.push(['respiratory_rate', rounded(respiratoryRate + own.gaussian() * breathError(scene))]);
      if (speaker.due(scene, 11 * BEATS_EVERY, BEATS_EVERY)) values.push(['body_temperature', rounded(core + 0.05 * own.gaussian(), 1)]);
    }
    if (speaker.due(scene, 128 * BEATS_EVERY, BEATS_EVERY)) values.push(['battery', rounded(level)]);
    speaker.say(scene, values);
  });
};

/** Breaths are counted from the chest's movement: whoever walks or talks moves it too. */
const breathError = ({ stay, moves }: Scene): number => (moves ? 2.5 : stay.doing === 'asleep' ? 0.5 : 1);

/** Pulse Oximeter Service 1.0.1 table 3.5: signal poor (4), low perfusion (5), erratic (6), sensor displaced (13). */
const POOR = (1 << 4) | (1 << 6);
const DISPLACED = 1 << 13;
/** Of all motion artefacts so many are flagged by the oximeter itself. */
const FLAGGED = 0.7;

/** One look through a finger. Artefacts come when the hand moves, for about ten seconds, and make the value too low. */
class Finger {
  readonly #random: Random;
  readonly #contact: Spells;
  #artefactUntil = -Infinity;
  #flagged = false;
  #depth = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#contact = new Spells(4 * HOUR, 80, random.split('contact'));
  }

  look({ now, stride, moves, stay }: Scene): void {
    this.#contact.at(now);
    const perHour = moves ? 6 : stay.doing === 'asleep' || stay.doing === 'lying' ? 0.25 : 0.8;
    if (now < this.#artefactUntil || !this.#random.chance((perHour * stride) / HOUR)) return;
    this.#artefactUntil = now + clamp(this.#random.exponential(10), 4, 40);
    this.#flagged = this.#random.chance(FLAGGED);
    this.#depth = this.#random.between(4, 22);
  }

  value({ now, body }: Scene, worn: boolean): Uint8Array {
    if (!worn || this.#contact.at(now)) return plxContinuous({ spo2: SFLOAT.nan, pulse: SFLOAT.nan, device: DISPLACED });
    const { saturation, heartRate } = body();
    const artefact = now < this.#artefactUntil;
    const spo2 = rounded(clamp(saturation + 0.5 * this.#random.gaussian() - (artefact ? this.#depth : 0), 40, 100));
    const pulse = rounded(clamp(heartRate + this.#random.gaussian() + (artefact ? this.#random.between(-15, 25) : 0), 20, 250));
    return plxContinuous({ spo2: sfloat(spo2, 0), pulse: sfloat(pulse, 0), device: artefact && this.#flagged ? POOR : 0 });
  }
}

/** Worn day and night, but for washing and charging; a value every 64 s by day and every 32 s by night. */
const ring: Maker = (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 70 * HOUR, keeps: false });
  const own = wire.random.split(`${device} habits`);
  const finger = new Finger(own.split('finger'));
  const charge = new Charge(own.between(60, 90) * HOUR, HOUR, own.split('charge'));
  return ofPatient(person, (scene) => {
    const { level, worn } = charge.follow({ ...scene, acting: () => undefined });
    finger.look(scene);
    if (!speaker.due(scene, isNight(scene.now, person) ? 32 : 64, 32)) return;
    const { doing } = scene.stay;
    speaker.forward(scene, '2a5f', finger.value(scene, worn && doing !== 'washing' && doing !== 'bathing'));
    if (speaker.due(scene, 3584, 32)) speaker.forward(scene, '2a19', Uint8Array.of(rounded(level)));
  });
};

/** Put on in bed and off on getting up, when it says so and switches itself off. */
const nightClip: Maker = (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 200 * HOUR, keeps: false });
  const finger = new Finger(wire.random.split(`${device} habits`));
  let offSince: number | undefined = -Infinity;
  return ofPatient(person, (scene) => {
    const { now, stay } = scene;
    const worn = isNight(now, person) && (stay.doing === 'asleep' || stay.doing === 'lying') && stay.room === 'bedroom';
    offSince = worn ? undefined : (offSince ?? now);
    if (offSince !== undefined && now - offSince > 60) return;
    finger.look(scene);
    speaker.forward(scene, '2a5f', finger.value(scene, worn));
  });
};

/** Cuff: body movement is bit 0 of its status (table 3.3 of the Blood Pressure Service). */
const MOVED = 1;

const cuff: Maker = (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 500 * HOUR, keeps: true });
  const own = wire.random.split(`${device} habits`);
  let doneOn = -1;
  let done = 0;
  return ofPatient(person, (scene) => {
    const { now, stay, body } = scene;
    const day = Math.floor(now / 86_400);
    if (day !== doneOn) [doneOn, done] = [day, 0];
    const dueAt = day * 86_400 + (7.6 + (13 * done) / Math.max(1, person.pressureChecks - 1)) * HOUR;
    const can = stay.room !== 'out' && (stay.doing === 'sitting' || stay.doing === 'lying') && now - stay.from > 240;
    if (done >= person.pressureChecks || now < dueAt || !can) return;
    done += 1;
    const { systolic, diastolic, heartRate } = body();
    const moved = own.chance(0.05);
    const error = moved ? own.between(15, 40) : 3 * own.gaussian();
    const words = [systolic + error, diastolic + 0.6 * error, diastolic + (systolic - diastolic) / 3 + 0.7 * error].map((each) => sfloat(rounded(each), 0));
    const [high = 0, low = 0, mean = 0] = words;
    speaker.forward(scene, '2a35', bloodPressure({ systolic: high, diastolic: low, mean, pulse: sfloat(rounded(heartRate), 0), status: moved ? MOVED : 0 }));
  });
};

/** A mat under the mattress, of the bedroom. It says when somebody lies down or gets up, and the same every ten minutes. */
const bed: Maker = (device, person, wire) => {
  const speaker = new Speaker(device, wire, { lostEvery: 200 * HOUR, keeps: true });
  const charge = new Charge(700 * 24 * HOUR, HOUR, wire.random.split(`${device} charge`));
  let before: boolean | undefined;
  return {
    subject: `room/${person.id}-bedroom`,
    look: (scene) => {
      const { stay } = scene;
      const occupied = stay.room === 'bedroom' && (stay.doing === 'asleep' || stay.doing === 'lying');
      const { level } = charge.follow(isMain(person, 'bed') ? scene : { ...scene, acting: () => undefined });
      if (level <= 0) return;
      const values: Value[] = occupied !== before || speaker.due(scene, 600) ? [['usage', occupied ? 1 : 0]] : [];
      before = occupied;
      if (speaker.due(scene, 3 * HOUR)) values.push(['battery', rounded(level)]);
      speaker.say(scene, values);
    },
  };
};

const MAKERS: Readonly<Record<Worn, Maker>> = { wrist: wristLike(true), pedometer: wristLike(false), patch, ring, night_clip: nightClip, cuff, bed };
