/** Journals for tests: what devices, people and the clock might have sent, and deriving it. */

import fc from 'fast-check';
import { loadPack } from '../../gateway/config/pack.ts';
import { pathOfPack } from '../../gateway/config/ready-packs.ts';
import { DEFAULT_POLICY } from '../../gateway/alarm/policy.ts';
import { mistakesIn, type ContractRule } from '../../gateway/context/contract.ts';
import type { WatchState } from '../../gateway/context/watch.ts';
import { encodeOperatorAction, type Actor, type OperatorAction } from '../../gateway/decode/operator.ts';
import { Derivation, type DerivationOptions } from '../../gateway/derive/derivation.ts';
import { NOTHING_DERIVED, type Checkpoint, type DerivedState, type SeenChunk } from '../../gateway/derive/derive-store.ts';
import { LocalDeriver } from '../../gateway/derive/deriver.ts';
import type { OpenSummaries } from '../../gateway/derive/summary.ts';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { CLOCK_TRUSTS, Sequence, type DeviceId, type Frame, type FrameRun, type Subject } from '../../gateway/reading.ts';
import { signStatement } from '../../gateway/consent/statement.ts';
import { ANNA as SIGNER, denial, grant, idNumber } from '../consent/statements.ts';
import { FRAME_SALT, knownSubjectKeys } from '../vault/known-keys.ts';

export const START = UnixMillis(1_790_000_000_000);
export const ANNA: Subject = { kind: 'patient', id: 'anna' };

export const HIGH_PULSE: ContractRule = {
  id: 'pulse-high', when: 'heart_rate > 130', clear: 'heart_rate <= 120', for: Millis(0), clearFor: Millis(0), atMostEvery: Millis(0), priority: 'high', kind: 'physiological',
  message: 'pulse very high', source: 'test',
};
const STARTER = loadPack(pathOfPack('starter'), { mistakesIn });

export const EMPTY_STATE: DerivedState = NOTHING_DERIVED;
export const BEN: Actor = { id: 'ben', role: 'nurse' };

const EMPTY_FRAME: Frame = {
  source: 'timer', device: '', topic: '', qos: 0, dup: false, payload: new Uint8Array(), receivedAt: START, uptime: Millis(0),
  clockTrust: 'synchronised',
};

/** A message of a device on its own topic; objects are written as JSON. */
export function message(device: string, content: unknown, part: Partial<Frame> = {}): Frame {
  const payload = content instanceof Uint8Array ? content : Buffer.from(
    typeof content === 'string' ? content : JSON.stringify(content), 'utf8',
  );
  return { ...EMPTY_FRAME, source: 'mqtt', device: device as DeviceId, topic: `devices/${device}/readings`, qos: 1, payload, ...part };
}

export const pulse = (value: number, more: object = {}): object => ({ ...more, measurement: 'heart_rate', value, unit: '/min' });
export const tick = (): Frame => EMPTY_FRAME;
export const operator = (payload: Uint8Array): Frame => ({ ...EMPTY_FRAME, source: 'operator', payload });
export const bind = (device: string, subject: Subject = ANNA): Frame => operator(
  encodeOperatorAction({ type: 'bind', device: device as DeviceId, subject })
);
export const unbind = (device: string): Frame => operator(encodeOperatorAction({ type: 'unbind', device: device as DeviceId }));
export const enrol = (device: string, fingerprint?: string): Frame => operator(
  encodeOperatorAction({ type: 'enrol', device: device as DeviceId, ...(fingerprint === undefined ? { credential: 'password' } : { credential: 'certificate', fingerprint }) })
);
export const revoke = (device: string): Frame => operator(encodeOperatorAction({ type: 'revoke', device: device as DeviceId }));
export const profiles = (...all: readonly unknown[]): Frame => operator(encodeOperatorAction({ type: 'profiles', profiles: all }));
const contracts = (...packs: readonly unknown[]): Frame => operator(encodeOperatorAction({ type: 'contracts', packs, by: [BEN] }));
/** A pack of these rules; without any, none is in force. */
export const rules = (...all: readonly unknown[]): Frame => contracts(...(all.length === 0 ? [] : [{ pack: 'test', version: 1, rules: all }]));

export const runOf = (frames: readonly Frame[], first = 1): FrameRun => ({ first: Sequence(first), frames: frames.map((frame) => encodeFrame(frame, FRAME_SALT)) });

/** Whose checkpoints each bring everything that is remembered, unless said otherwise. */
export const deriverFrom = (state: DerivedState = EMPTY_STATE, options: Partial<DerivationOptions> = { rememberEvery: Millis(0) }): LocalDeriver => new LocalDeriver(
  new Derivation(knownSubjectKeys(), state, options)
);

/** Derives frames that follow `state` in one piece. */
export function derive(frames: readonly Frame[], state: DerivedState = EMPTY_STATE): Checkpoint[] {
  return [...deriverFrom(state).deriveNow(runOf(frames, state.cursor + 1)).checkpoints];
}

/** Derives frames and closes the window they end in. */
export const deriveAndClose = (...frames: readonly Frame[]): Checkpoint[] => derive([...frames, tick()]);

/** The state after checkpoints, worked out in memory, naively: what a store must load. */
export function fold(checkpoints: readonly Checkpoint[], from: DerivedState = EMPTY_STATE): DerivedState {
  return checkpoints.reduce((state, { cursor, entrySequence, epoch, totals, profiles: profilePack, orders, alarms, remembered, ...changed }): DerivedState => {
    const sightings = new Map(state.sightings);
    for (const [name, sighting] of changed.sightings) {
      if (sighting === undefined) sightings.delete(name);
      else sightings.set(name, sighting);
    }
    const seen = new Map<DeviceId, readonly SeenChunk[]>(state.seen);
    for (const [device, identities] of changed.seen) seen.set(device, [...(seen.get(device) ?? []), { window: cursor, identities }]);
    for (const { device, window } of changed.forgotten) seen.set(
      device, (seen.get(device) ?? []).filter((chunk) => chunk.window !== window),
    );
    return {
      cursor, entrySequence, epoch, succession: changed.succession, totals, orders: orders ?? state.orders, consent: changed.consent ?? state.consent, alarms: alarms ?? state.alarms, steady: changed.steady, seen, sightings,
      bindings: new Map([...state.bindings, ...changed.bindings]), devices: new Map([...state.devices, ...changed.devices]),
      watches: new Map([...new Map([...state.watches, ...(remembered?.watches ?? [])])].filter((each): each is [string, WatchState] => each[1] !== undefined)),
      summaries: new Map([...new Map([...state.summaries, ...(remembered?.summaries ?? [])])].filter((each): each is [string, OpenSummaries] => each[1] !== undefined)),
      profiles: profilePack ?? state.profiles, memories: new Map([...state.memories, ...changed.memories]),
    };
  }, from);
}

/** A value with its bytes as text and its maps as arrays, so that what differs only in class compares equal. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined).map(([name, each]) => [name, plain(each)]));
}

/** The same for a state, whose maps have no order. */
export function plainState(state: DerivedState): unknown {
  const sorted = <V>(map: ReadonlyMap<string, V>): unknown => plain(new Map([...map].toSorted(([a], [b]) => (a < b ? -1 : 1))));
  return {
    ...(plain({ ...state, bindings: 0, seen: 0, watches: 0, summaries: 0, memories: 0, devices: 0, sightings: 0 }) as object), bindings: sorted(state.bindings),
    seen: sorted(state.seen), watches: sorted(state.watches), summaries: sorted(state.summaries), memories: sorted(state.memories), devices: sorted(state.devices), sightings: sorted(state.sightings),
  };
}

const DEVICES = ['watch-1', 'watch-2', 'room-7'];
const device = fc.constantFrom(...DEVICES);
const anyText = fc.string({ unit: 'binary', maxLength: 12 });
const subject: fc.Arbitrary<Subject> = fc.record(
  {
    kind: fc.constantFrom('patient', 'room'),
    id: fc.oneof(fc.constantFrom('anna', 'otto', '7', 'Rene\u0301', 'Ren\u00e9', '\u212b', '\ufeffx'), anyText),
  }
);
/** What a device may say its clock shows, from sane to hostile. */
const deviceTime = fc.oneof(
  fc.integer({ min: -60, max: 60 }).map((n) => START + n * 1000),
  fc.constantFrom(0, -0, -1, 4_102_444_800_000, 2 ** 53, 2 ** 60, 1e300, -1e300, 0.5),
);
const counter = fc.oneof(fc.nat(20), fc.constantFrom(2 ** 53 - 1, -1, 1.5, 2 ** 53, -0));
const measured = fc.oneof(
  {
    arbitrary: fc.record({ measurement: fc.constant('heart_rate'), value: fc.integer({ min: 100, max: 150 }), unit: fc.constant('/min') }),
    weight: 4,
  },
  {
    arbitrary: fc.record({ measurement: fc.constant('spo2'), value: fc.double({ min: 80, max: 100 }), unit: fc.constant('%') }), weight: 2,
  },
  { arbitrary: fc.record({ measurement: fc.constant('motion'), value: fc.constantFrom(0, 1, -0, 2), unit: fc.constant('1') }), weight: 1 },
  { arbitrary: fc.record({ measurement: anyText, value: fc.oneof(fc.double(), anyText), unit: anyText }), weight: 1 },
);
const waveform = fc.record({
  measurement: fc.constant('ppg'), unit: fc.constant('1'), rate: fc.constantFrom(50, 0), samples: fc.array(
    fc.double({ min: -11, max: 11, noNaN: true }), { maxLength: 8 },
  ),
});
const envelope = fc.record({ seq: counter, time: deviceTime }, { requiredKeys: [] });
const content: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.tuple(envelope, measured).map(([head, reading]) => ({ ...head, ...reading })), weight: 6 },
  { arbitrary: fc.tuple(envelope, fc.array(measured, { maxLength: 4 })).map(([head, readings]) => ({ ...head, readings })), weight: 2 },
  { arbitrary: fc.tuple(envelope, waveform).map(([head, block]) => ({ ...head, waveform: block })), weight: 1 },
  { arbitrary: fc.array(measured, { maxLength: 3 }), weight: 1 },
  { arbitrary: fc.json(), weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 30 }), weight: 1 },
);
/** Other rules than a limit at once: with a dwell, an exception, a look back, a technical one. */
const WAITING_RULES: readonly ContractRule[] = [
  { ...HIGH_PULSE, id: 'pulse-long', when: 'heart_rate > 125', for: Millis(5000), unless: 'activity == "walk"', priority: 'medium', message: 'pulse {heart_rate} for {for}' },
  { ...HIGH_PULSE, id: 'pulse-mean', when: 'mean("heart_rate", "5min") > 120', clear: undefined, atMostEvery: Millis(60_000), priority: 'low' },
  { ...HIGH_PULSE, id: 'nothing-moves', when: 'minutes_since("motion") > 2', clear: undefined, kind: 'technical', priority: 'low' },
];
/** A rule with one thing about it that nobody would configure. */
const strangeRule = fc
  .constantFrom<object>(
    { message: 'e\u0301' }, { message: 7 }, { id: null }, { id: '\ud800' }, { priority: {} }, { when: 'heart_rate >' }, { when: 'puls > 3' }, { for: -1 },
    { clear: null }, { kind: 'other' }, { message: '{nowhere}' },
  )
  .map((strange) => ({ ...HIGH_PULSE, ...strange }));
const packOf = (all: readonly unknown[]): object => ({ pack: 'test', version: 1, rules: all });
const rulePack = fc.oneof(
  { arbitrary: fc.constantFrom<readonly unknown[]>([STARTER], [packOf([HIGH_PULSE])], [packOf(WAITING_RULES)], [STARTER, packOf(WAITING_RULES)], []), weight: 5 },
  { arbitrary: fc.array(fc.oneof(fc.jsonValue(), strangeRule), { maxLength: 2 }).map((all) => [packOf(all)]), weight: 2 },
  { arbitrary: fc.array(fc.jsonValue(), { maxLength: 2 }), weight: 1 },
);

/** What people do about watching and alarms, sensible or not. */
const actor = fc.constantFrom<Actor>(BEN, { id: 'lee', role: 'clinician' });
const careAction: fc.Arbitrary<OperatorAction> = fc.oneof(
  fc.record({ type: fc.constant('acknowledge' as const), alarm: fc.integer({ min: 1, max: 6 }), revision: fc.integer({ min: 1, max: 3 }), by: actor }),
  fc.record({ type: fc.constant('snooze' as const), alarm: fc.integer({ min: 1, max: 6 }), revision: fc.integer({ min: 1, max: 3 }), time: fc.integer({ min: 1, max: 600_000 }).map(Millis), by: actor }),
  fc.record({ type: fc.constant('local' as const), offset: fc.integer({ min: -840, max: 840 }), quiet: fc.boolean() }),
  fc.record({ type: fc.constant('prescribe' as const), patient: fc.constantFrom('anna', 'otto'), spo2Scale: fc.constantFrom<1 | 2>(1, 2), by: actor }),
  fc.record({ type: fc.constant('observe' as const), patient: fc.constantFrom('anna', 'otto'), values: fc.dictionary(fc.constantFrom('heart_rate', 'spo2', 'pulse'), fc.integer({ min: 20, max: 160 }), { minKeys: 1 }), by: actor }),
  fc.constantFrom<OperatorAction>(
    { type: 'patients', patients: [{ id: 'anna', rooms: [{ room: '7', kind: 'bedroom' }], alone: true }] }, { type: 'patients', patients: [{ id: 'anna', rooms: [], alone: false, packs: ['test'] }] },
    { type: 'patients', patients: [{ id: 7 }] }, { type: 'alarms', policy: DEFAULT_POLICY }, { type: 'alarms', policy: { ...DEFAULT_POLICY, most: 2 } }, { type: 'alarms', policy: {} },
  ),
);

/** What people say about consent, sensible or not. */
const annasKey = Buffer.from(SIGNER.publicKey).toString('hex');
const consentAction: fc.Arbitrary<OperatorAction> = fc.oneof(
  fc.record({ type: fc.constant('enrol_person' as const), patient: fc.constantFrom('anna', 'otto'), key: fc.constantFrom(annasKey, '02'), who: fc.constantFrom('patient' as const, 'guardian' as const), name: fc.constant('Anna'), by: actor }),
  fc.record({ id: fc.integer({ min: 1, max: 3 }).map(idNumber), permit: fc.boolean(), patient: fc.constantFrom('anna', 'otto') })
    .map(({ permit, ...said }): OperatorAction => ({ type: 'statement', patient: 'anna', statement: signStatement(permit ? grant(said) : denial(said), SIGNER) })),
  fc.uint8Array({ maxLength: 20 }).map((statement): OperatorAction => ({ type: 'statement', patient: 'anna', statement })),
  fc.record({ type: fc.constant('break_glass' as const), patient: fc.constantFrom('anna', 'otto'), reason: fc.constantFrom('found unconscious', 'x'), time: fc.integer({ min: 1, max: 3_600_000 }).map(Millis), by: actor }),
  fc.record({ type: fc.constant('end_glass' as const), patient: fc.constantFrom('anna', 'otto'), episode: fc.integer({ min: 1, max: 3 }), by: actor }),
  fc.record({ type: fc.constant('review_glass' as const), patient: fc.constantFrom('anna', 'otto'), episode: fc.integer({ min: 1, max: 3 }), verdict: fc.constantFrom('justified' as const, 'unjustified' as const), remark: fc.constant('nobody else was there'), by: fc.constantFrom<Actor>({ id: 'lee', role: 'clinician' }, { id: 'kim', role: 'administrator' }) }),
);

/** Profiles as somebody might configure them, and what no version could apply. */
const profilePack: fc.Arbitrary<unknown[]> = fc.array(
  fc.oneof(
    fc.constantFrom(
      { name: 'own', decoder: 'csv-line', topic: 'devices/+/readings' },
      { name: 'ble', decoder: 'gatt-line', topic: 'devices/+/gatt-line/#', devices: [{ address: 'AA:BB', device: 'watch-2' }] },
      { name: 'warmer', decoder: 'csv-line', topic: 'devices/room-7/#', channels: { heart_rate: { measurement: 'co2', scale: 10 } } },
    ),
    fc.jsonValue(),
  ),
  { maxLength: 3 },
);

/** Messages of other families, on their own topics. */
const otherFamily: fc.Arbitrary<Frame> = fc
  .tuple(
    device,
    fc.constantFrom<[topic: string, payload: Buffer]>(
      ['csv-line', Buffer.from('heart_rate,150,/min')],
      ['csv-line', Buffer.from('body_temperature,101.3,[degF],1790000000000,7')],
      ['gatt-line', Buffer.from('AA:BB 2a37 00 96')],
      ['gatt/AA:BB/2a5f', Buffer.from('0062004800', 'hex')],
      ['senml-json', Buffer.from('[{"n":"heart_rate","u":"beat/min","v":150}]')],
      ['contec-9', Buffer.from('01E0849392BCE3FFFF', 'hex')],
      ['sparkplug/spBv1.0/g/NDATA/e', Buffer.from('1801', 'hex')],
      ['homeassistant/sensor/t/config', Buffer.from('{"state_topic":"a/b","unique_id":"t","unit_of_measurement":"\u00b0C"}')],
      ['homeassistant/sensor/t/config', Buffer.from('')],
      ['zigbee2mqtt/door', Buffer.from('{"contact":true,"linkquality":7,"battery":55}')],
      ['elsewhere/tele/x/SENSOR', Buffer.from('{"AM2301":{"Temperature":21.5},"TempUnit":"C"}')],
    ),
  )
  .map(([name, [topic, payload]]) => ({ ...message(name, payload, { topic: `devices/${name}/${topic}` }), source: topic === 'contec-9' ? 'serial' : 'mqtt' }));

type Scene =
  | { is: 'message'; device: string; content: unknown; qos: 0 | 1 | 2; foreignTopic: boolean; at: number; passed: number; trust: Frame['clockTrust'] }
  | { is: 'again'; back: number; dup: boolean }
  | { is: 'retry'; back: number; taken: readonly string[] }
  | { is: 'restart' }
  | { is: 'frame'; frame: Frame };

const scene: fc.Arbitrary<Scene> = fc.oneof(
  {
    arbitrary: fc.record({
      is: fc.constant('message' as const), device, content, qos: fc.constantFrom(0, 1, 2), at: fc.integer({ min: -5000, max: 5000 }), passed: fc.oneof(fc.nat(2000), fc.nat(3_600_000)),
      foreignTopic: fc.integer({ min: 0, max: 9 }).map((n) => n === 0), trust: fc.constantFrom(...CLOCK_TRUSTS),
    }),
    weight: 10,
  },
  { arbitrary: fc.record({ is: fc.constant('again' as const), back: fc.nat(10), dup: fc.boolean() }), weight: 3 },
  { arbitrary: fc.record({ is: fc.constant('retry' as const), back: fc.nat(10), taken: fc.constantFrom([], ['heart_rate '], ['nothing']) }), weight: 1 },
  { arbitrary: fc.constant({ is: 'restart' as const }), weight: 1 },
  {
    arbitrary: fc.oneof(
      fc.constant(tick()),
      fc.tuple(device, subject).map(([name, whom]) => bind(name, whom)),
      fc.tuple(device, subject, fc.integer({ min: -9e6, max: 9e6 }), fc.nat(9e6)).map(([name, whom, from, long]) => operator(encodeOperatorAction(
        { type: 'bind', device: name as DeviceId, subject: whom, from: UnixMillis(START + from), until: UnixMillis(START + from + long) },
      ))),
      device.map(unbind),
      device.map((name) => enrol(name)),
      device.map(revoke),
      rulePack.map((all) => contracts(...all)),
      careAction.map((action) => operator(encodeOperatorAction(action))),
      consentAction.map((action) => operator(encodeOperatorAction(action))),
      profilePack.map((all) => profiles(...all)),
      otherFamily,
      fc.oneof(fc.json().map((text) => Buffer.from(text, 'utf8')), fc.uint8Array({ maxLength: 20 })).map(operator),
    ).map((frame): Scene => ({ is: 'frame', frame })),
    weight: 4,
  },
);

function play(scenes: readonly Scene[]): Frame[] {
  const frames: Frame[] = [];
  let uptime = 0;
  for (const each of scenes) {
    const told = (frame: Frame): number => frames.push({ ...frame, uptime: Millis(uptime) });
    if (each.is === 'frame') told(each.frame);
    else if (each.is === 'restart') uptime = 0;
    else if (each.is === 'again') {
      const again = frames.at(-1 - each.back);
      if (again?.source === 'mqtt') told({ ...again, dup: each.dup });
    } else if (each.is === 'retry') {
      const again = frames.at(-1 - each.back);
      if (again !== undefined) told(operator(encodeOperatorAction({ type: 'retry', sequence: Sequence(1), frame: encodeFrame(again, FRAME_SALT), taken: each.taken })));
    } else {
      uptime += each.passed;
      const part = { qos: each.qos, clockTrust: each.trust, receivedAt: UnixMillis(START + each.at + each.passed) };
      told(message(each.device, each.content, each.foreignTopic ? { ...part, topic: 'devices/x/y' } : part));
    }
  }
  return frames;
}

/** A journal that begins with some devices bound, and then holds anything in any order. */
export const journal: fc.Arbitrary<Frame[]> = fc
  .tuple(fc.boolean(), fc.array(scene, { maxLength: 40 }))
  .map(
    ([prepared, scenes]) => [
      ...(prepared ? [rules(HIGH_PULSE), bind('watch-1'), bind('room-7', { kind: 'room', id: '7' })] : []), ...play(scenes),
    ]
  );
