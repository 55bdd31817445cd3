import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type AlarmPolicy } from '../../gateway/alarm/policy.ts';
import type { ContractRule } from '../../gateway/context/contract.ts';
import { encodeOperatorAction, type Actor, type OperatorAction } from '../../gateway/decode/operator.ts';
import { signContract } from '../../gateway/derive/contract-signature.ts';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { type CborMap } from '../../gateway/ledger/cbor.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { signingKeyFrom } from '../../gateway/ledger/es256k.ts';
import { Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import type { Frame, Subject } from '../../gateway/reading.ts';
import { BEN, bind, derive, deriverFrom, fold, HIGH_PULSE, message, operator, pulse, rules, runOf, START, tick, unbind } from './story.ts';
import { saidIn } from '../vault/known-keys.ts';

const LEE: Actor = { id: 'lee', role: 'clinician' };
const at = (seconds: number, frame: Frame): Frame => ({ ...frame, receivedAt: UnixMillis(START + seconds * 1000), uptime: Millis(seconds * 1000) });
const act = (action: OperatorAction): Frame => operator(encodeOperatorAction(action));
const later = (seconds: number): Frame => at(seconds, tick());

/** Every step in words: when, which alarm, what and why; whoever did it. */
const stepsOf = (checkpoints: readonly Checkpoint[]): string[] =>
  checkpoints.flatMap(({ steps }) => steps).map(({ step: { alarm, from, to, why, by, refusal, about }, time }) =>
    `${(time - START) / 1000} #${alarm} ${about?.rule ?? '?'} ${from}>${to} ${why}${by === undefined ? '' : ` by ${by.id}`}${refusal === undefined ? '' : ` ${refusal}`}`);
const reasonsOf = (checkpoints: readonly Checkpoint[]): string[] => checkpoints.flatMap(({ quarantined }) => quarantined.flatMap(({ rejections }) => rejections.map((each) => each.message)));
const entriesOf = (checkpoints: readonly Checkpoint[], ...kinds: readonly string[]): Record<string, unknown>[] =>
  checkpoints.flatMap(({ entries }) => entries).filter(({ bytes }) => kinds.includes(decodeEntry(bytes).kind))
    .map((entry) => saidIn(entry));

const SLOW: ContractRule = { ...HIGH_PULSE, id: 'slow', when: 'heart_rate < 50', clear: 'heart_rate >= 55', for: Seconds(40), message: 'pulse {heart_rate} for {for}, {activity}, {room}' };

describe('what is wrong with the gateway itself', () => {
  const say = (seconds: number, condition: 'unreached' | 'no_room', holds: boolean): Frame => at(seconds, act({ type: 'condition', condition, holds }));

  it('is a technical alarm about nobody while it lasts, and said twice it is said once', () => {
    const told = derive([say(0, 'no_room', true), say(5, 'no_room', true), say(10, 'unreached', false), say(20, 'no_room', false), say(25, 'no_room', false)]);
    expect(stepsOf(told)).toEqual(['0 #1 no_room none>pending raised', '20 #1 no_room pending>cleared cleared']);
    expect(entriesOf(told, 'event')[0]).toMatchObject({ priority: 'medium', message: 'the disk of the gateway is full: readings are refused, and nobody is watched over until there is room' });
  });

  it('is quarantined when it is no condition that this version knows', () => {
    const strange = at(0, operator(Buffer.from(JSON.stringify({ type: 'condition', condition: 'bored', holds: true }))));
    expect(reasonsOf(derive([strange]))).toEqual(['"condition" must be unreached or no_room or flows_stopped or flows_safe_mode']);
    expect(reasonsOf(derive([at(0, operator(Buffer.from('{"type":"condition","condition":"no_room"}')))]))).toEqual(['"holds" must be true or false']);
  });
});

describe('what flows say', () => {
  const FLO: Actor = { id: 'flo', role: 'caregiver' };
  const subject: Subject = { kind: 'patient', id: 'anna' };
  const raise = (seconds: number, given: Partial<Extract<OperatorAction, { type: 'flow_alarm' }>> = {}): Frame =>
    at(seconds, act({ type: 'flow_alarm', subject, name: 'fall', priority: 'high', kind: 'physiological', message: 'Anna fell', by: FLO, ...given }));
  const clear = (seconds: number): Frame => at(seconds, act({ type: 'flow_clear', subject, name: 'fall', by: FLO }));

  it('is an alarm of its own until it is over, and said again it is nothing new', () => {
    const told = derive([raise(0), raise(1), raise(2, { message: 'Anna fell again' }), raise(3, { priority: 'low' }), clear(4), clear(5)]);
    expect(stepsOf(told)).toEqual(['0 #1 flow:fall none>active raised', '2 #1 flow:fall active>active repeated', '3 #1 flow:fall active>active repeated', '4 #1 flow:fall active>latched cleared']);
    expect(entriesOf(told, 'event')[0]).toMatchObject({ rule: 'flow:fall', message: 'Anna fell' });
  });

  it('has other people told, one after the other, and survives being derived again', () => {
    const policy = { ...DEFAULT_POLICY, people: [{ name: 'dora', roles: [] }, { name: 'nick', roles: [] }] };
    const levels = [{ to: ['dora'], within: 5000 }, { to: ['nick'], within: 5000 }];
    const frames = [at(0, act({ type: 'alarms', policy })), raise(0), at(1, act({ type: 'escalate', alarm: 1, revision: 1, levels, by: FLO })), at(2, act({ type: 'escalate', alarm: 1, revision: 1, levels, by: FLO })), later(6)];
    const told = derive(frames);
    expect(told.flatMap(({ steps }) => steps).map(({ step: { why, told: whom } }) => [why, whom?.to])).toEqual([['raised', ['dora', 'nick']], ['rerouted', ['dora']], ['escalated', ['nick']]]);
    expect(derive(frames).flatMap(({ entries }) => entries.map(({ bytes }) => Buffer.from(bytes).toString('hex')))).toEqual(told.flatMap(({ entries }) => entries.map(({ bytes }) => Buffer.from(bytes).toString('hex'))));
  });

  it('is in the record: remarks, and what became of telling people', () => {
    const told = derive([
      at(0, act({ type: 'note', subject, text: 'She ate well.', by: FLO })),
      at(1, act({ type: 'notified', subject, alarm: 1, step: 2, person: 'dora', channel: 'sms', outcome: 'failed', detail: 'no credit', by: FLO })),
    ]);
    expect(entriesOf(told, 'order')).toMatchObject([{ text: 'She ate well.' }, { person: 'dora', channel: 'sms', detail: 'no credit' }]);
  });

  it('is done once when it is asked again under the same name, also after a restart; by somebody else, or of something else, it is another', () => {
    const note = { type: 'note', subject, text: 'She ate well.', by: FLO, ask: 'n1 alarm-7' } as const;
    const told = { type: 'notified', subject, alarm: 1, step: 2, person: 'dora', channel: 'sms', outcome: 'handed_over', by: FLO, ask: 'n2 alarm-7' } as const;
    const asked: readonly OperatorAction[] = [
      note, { type: 'observe', patient: 'anna', values: { spo2: 97 }, by: FLO, ask: 'n3' }, told, { type: 'flow_alarm', subject, name: 'fall', priority: 'high', kind: 'physiological', message: 'Anna fell', by: FLO, ask: 'n4' },
      { type: 'flow_clear', subject, name: 'fall', by: FLO, ask: 'n5' },
    ];
    const others: readonly OperatorAction[] = [{ ...note, by: { id: 'nina', role: 'caregiver' } }, { ...told, person: 'nick' }, { ...note, ask: 'n1 alarm-8' }];
    const frames = [...asked, ...asked, ...others].map((action, i) => at(i, act(action)));
    const said = (checkpoints: readonly Checkpoint[]): unknown[] => entriesOf(checkpoints, 'order', 'event');
    const expected = said(derive(frames));
    expect(expected).toHaveLength(said(derive(frames.slice(0, asked.length))).length + others.length);
    for (let cut = 1; cut < frames.length; cut++) {
      const before = derive(frames.slice(0, cut));
      const state = fold(before);
      expect([...said(before), ...said(derive(frames.slice(state.cursor), state))]).toEqual(expected);
    }
  });

  it.each<readonly [what: string, frame: object, reason: string]>([
    ['a chain that reaches nobody', { type: 'escalate', alarm: 1, revision: 1, levels: [{ to: [], within: 1 }], by: FLO }, '"levels" must be people to be told one after the other'],
    ['a chain without an end', { type: 'escalate', alarm: 1, revision: 1, levels: Array.from({ length: 11 }, () => ({ to: ['a'], within: 1 })), by: FLO }, '"levels" must be people to be told one after the other'],
    ['a name that is none', { type: 'flow_clear', subject, name: 'a/b', by: FLO }, '"name" must be 1 to 64 of a-z A-Z 0-9 . _ -'],
    ['a remark of nothing', { type: 'note', subject, text: '', by: FLO }, '"text" must have 1 to 2000 characters'],
  ])('is quarantined when it is %s', (_, action, reason) => {
    expect(reasonsOf(derive([at(0, operator(Buffer.from(JSON.stringify(action))))]))).toEqual([reason]);
  });
});

describe('a rule with a dwell', () => {
  const story = [rules(SLOW), bind('w'), at(0, message('w', pulse(45))), at(20, message('w', pulse(44)))];

  it('is raised when its time is over though nothing comes, and a timer frame is asked for at that time', () => {
    const deriver = deriverFrom();
    expect(deriver.deriveNow(runOf(story)).dueIn).toBe(20_000);
    expect(stepsOf(deriver.deriveNow(runOf([later(40)], 5)).checkpoints)).toEqual(['40 #1 test/slow none>active raised']);
  });

  it('names the first and the last frame it rests on, and says how long it lasted', () => {
    const [event] = entriesOf(derive([...story, later(41)]), 'event');
    expect(event).toMatchObject({ message: 'pulse 44 for 41 s, activity not known, room not known' });
    expect((event as { evidence: CborMap }).evidence.get('frames')).toEqual([3, 4]);
  });

  it('goes on after a crash at any point as if there had been none', () => {
    const whole = [...story, at(30, message('w', pulse(43))), later(45), at(50, message('w', pulse(60))), later(200)];
    const expected = stepsOf(derive(whole));
    for (let cut = 1; cut < whole.length; cut++) {
      const before = derive(whole.slice(0, cut));
      const state = fold(before);
      expect([...stepsOf(before), ...stepsOf(derive(whole.slice(state.cursor), state))]).toEqual(expected);
    }
    expect(expected[0]).toBe('45 #1 test/slow none>active raised');
  });

  it('neither hurries nor waits because the gateway\'s clock was set', () => {
    const jumped = (seconds: number, days: number, frame: Frame): Frame => ({ ...at(seconds, frame), receivedAt: UnixMillis(START + days * 86_400_000) });
    expect(derive([...story, jumped(30, 300, message('w', pulse(43))), jumped(39, -300, message('w', pulse(43)))]).flatMap(({ steps }) => steps)).toEqual([]);
    expect(derive([...story, jumped(40, -300, message('w', pulse(43)))]).flatMap(({ steps }) => steps)).toHaveLength(1);
  });
});

describe('an alarm', () => {
  const raised = [rules(HIGH_PULSE), bind('w'), at(0, message('w', pulse(140)))];

  it('is acknowledged by a person, which is an entry of its own, and refused to whoever comes later', () => {
    const answer = (by: Actor): Frame => act({ type: 'acknowledge', alarm: 1, revision: 1, by });
    const checkpoints = derive([...raised, at(5, answer(BEN)), at(6, answer(LEE)), at(7, act({ type: 'acknowledge', alarm: 9, revision: 1, by: BEN }))]);
    expect(stepsOf(checkpoints)).toEqual([
      '0 #1 test/pulse-high none>active raised', '5 #1 test/pulse-high active>acknowledged acknowledged by ben', '6 #1 test/pulse-high acknowledged>acknowledged refused by lee already_acknowledged',
      '7 #9 ? none>none refused by ben unknown_alarm',
    ]);
    expect(entriesOf(checkpoints, 'acknowledgement').map(({ by, subject }) => [Object.fromEntries(by as CborMap), subject])).toEqual([
      [BEN, 'patient/anna'], [LEE, 'patient/anna'], [BEN, undefined],
    ]);
  });

  it('is told to the next level in time, by timers that are asked for', () => {
    const policy: AlarmPolicy = {
      ...DEFAULT_POLICY, people: [{ name: 'ann', roles: ['nurse'] }, { name: 'kim', roles: [] }],
      physiological: { ...DEFAULT_POLICY.physiological, high: { ...DEFAULT_POLICY.physiological.high, levels: [{ to: ['nurse'], within: Seconds(30) }, { to: ['kim'], within: Seconds(60) }] } },
    };
    const deriver = deriverFrom();
    expect(deriver.deriveNow(runOf([act({ type: 'alarms', policy }), ...raised])).dueIn).toBe(30_000);
    const { checkpoints } = deriver.deriveNow(runOf([later(30), later(90)], 5));
    expect(checkpoints.flatMap(({ steps }) => steps).map(({ step: { why, told } }) => [why, told?.to])).toEqual([['escalated', ['kim']], ['told_again', ['kim']]]);
  });

  it('of low priority waits while it is quiet', () => {
    const low = [rules({ ...HIGH_PULSE, priority: 'low' }), bind('w'), act({ type: 'local', offset: 60, quiet: true }), at(0, message('w', pulse(140)))];
    const untold = (frames: readonly Frame[]): unknown[] => derive(frames).flatMap(({ steps }) => steps).map(({ step: { why, told, untold: reason } }) => [why, told !== undefined, reason]);
    expect(untold([...low, later(60), at(4000, act({ type: 'local', offset: 60, quiet: false }))])).toEqual([
      ['raised', false, 'delay'], ['delay_over', false, 'quiet'], ['hold_over', true, undefined],
    ]);
  });

  it('goes by the policy of before when a new one cannot be followed', () => {
    const checkpoints = derive([...raised, act({ type: 'alarms', policy: { people: 7 } }), later(120)]);
    expect(reasonsOf(checkpoints)).toEqual([expect.stringContaining('the alarm policy cannot be followed') as string]);
    expect(stepsOf(checkpoints).at(-1)).toBe('120 #1 test/pulse-high active>active told_again');
  });
});

describe('what people say of a patient', () => {
  const home: OperatorAction = { type: 'patients', patients: [{ id: 'anna', rooms: [{ room: '7', kind: 'bedroom' }], alone: true }] };
  const room: Subject = { kind: 'room', id: '7' };
  const moved = (value: number): Frame => message('pir', { measurement: 'motion', value, unit: '1' });

  it('lets the motion in their rooms tell where they are, if nobody else lives there', () => {
    const frames = (action: OperatorAction): Frame[] => [act(action), rules({ ...SLOW, for: Millis(0) }), bind('w'), bind('pir', room), at(0, moved(1)), at(5, message('w', pulse(45)))];
    expect(entriesOf(derive(frames(home)), 'event')).toMatchObject([{ message: 'pulse 45 for 0 s, activity not known, 7' }]);
    expect(entriesOf(derive(frames({ type: 'patients', patients: [{ id: 'anna', rooms: [{ room: '7', kind: 'bedroom' }], alone: false }] })), 'event')).toMatchObject([{ message: 'pulse 45 for 0 s, activity not known, room not known' }]);
  });

  it('says which packs are for them; rules of others are withdrawn', () => {
    const others: OperatorAction = { type: 'patients', patients: [{ id: 'anna', rooms: [], alone: false, packs: ['other'] }] };
    const checkpoints = derive([rules(HIGH_PULSE), bind('w'), at(0, message('w', pulse(140))), at(1, act(others)), at(2, message('w', pulse(150)))]);
    expect(stepsOf(checkpoints)).toEqual(['0 #1 test/pulse-high none>active raised', '1 #1 test/pulse-high active>latched withdrawn']);
  });

  it('is a reading like any other when they saw or measured it', () => {
    const checkpoints = derive([rules(HIGH_PULSE), act({ type: 'observe', patient: 'anna', values: { heart_rate: 150, spo2: 97 }, by: BEN })]);
    expect(stepsOf(checkpoints)).toEqual(['0 #1 test/pulse-high none>active raised']);
    expect(checkpoints.at(-1)?.totals.readings).toBe(2);
    expect(entriesOf(checkpoints, 'order')).toMatchObject([{ by: new Map([['id', 'ben'], ['role', 'nurse']]) }]);
  });

  it('is refused when nobody can be so, and then nothing of it counts', () => {
    const checkpoints = derive([rules(HIGH_PULSE), act({ type: 'observe', patient: 'anna', values: { heart_rate: 150, spo2: 970 }, by: BEN })]);
    expect([stepsOf(checkpoints), checkpoints.at(-1)?.totals.readings, reasonsOf(checkpoints)]).toEqual([[], 0, ['spo2 outside 30 to 100 %']]);
  });

  it('about the SpO2 scale counts from a clinician only', () => {
    const scale = (by: Actor): Frame => act({ type: 'prescribe', patient: 'anna', spo2Scale: 2, by });
    expect(fold(derive([scale(BEN)])).orders.prescriptions).toEqual({});
    expect(reasonsOf(derive([scale(BEN)]))).toEqual(['only a clinician decides on the SpO2 scale']);
    expect(fold(derive([scale(LEE)])).orders.prescriptions).toEqual({ anna: { spo2Scale: 2, by: LEE } });
  });
});

describe('a waveform', () => {
  const block = (seconds: number): Frame => at(seconds, message('w', { waveform: { measurement: 'ppg', unit: '1', rate: 50, samples: [0.25, -0.5, 1] } }));
  const want = (more: object = {}): Frame => act({ type: 'waveform', patient: 'anna', measurement: 'ppg', time: Seconds(10), by: BEN, ...more });
  const samplesOf = (...frames: readonly Frame[]): unknown[] => entriesOf(derive([bind('w'), ...frames, later(30)]), 'summary').filter(({ samples }) => samples !== undefined).map(({ samples, rateHz }) => [samples, rateHz]);

  it('is given sample by sample for as long as somebody asked, and before and after in summaries only', () => {
    expect(samplesOf(block(0), at(1, want()), block(2), block(10), block(11), block(12))).toEqual([[[0.25, -0.5, 1], 50], [[0.25, -0.5, 1], 50]]);
    expect(samplesOf(block(0), block(2))).toEqual([]);
  });

  it('is not given of somebody else, nor for longer than ten minutes', () => {
    expect(samplesOf(want({ patient: 'otto' }), block(2))).toEqual([]);
    expect(reasonsOf(derive([want({ time: Seconds(601) }), want({ measurement: 'aura' })]))).toEqual(['a waveform for 601000 ms; at most 600000', 'unknown measurement "aura"']);
  });
});

describe('a device\'s own alarms', () => {
  const low = message('w', { measurement: 'battery', value: 4, unit: '%' });

  it('are technical, and of whoever has the device', () => {
    const [step] = derive([bind('w'), at(0, low)]).flatMap(({ steps }) => steps);
    expect(step?.step.about).toMatchObject({ rule: 'low-battery w', kind: 'technical', priority: 'medium', message: 'The battery of w is at 4 %' });
  });

  it('are withdrawn when it goes to somebody else, and raised for them', () => {
    const otto: Subject = { kind: 'patient', id: 'otto' };
    const checkpoints = derive([bind('w'), at(0, low), at(60, bind('w', otto)), at(61, low), at(62, unbind('w'))]);
    const about = checkpoints.flatMap(({ steps }) => steps).map(({ step: { why, about: each } }) => [why, each?.subject?.id]);
    expect(about).toEqual([['raised', 'anna'], ['delay_over', 'anna'], ['withdrawn', 'anna'], ['raised', 'otto'], ['withdrawn', 'otto']]);
  });

  it('are nobody\'s when nobody has it', () => {
    expect(derive([bind('x'), at(0, low), tick()]).flatMap(({ steps }) => steps)).toEqual([]);
  });
});

describe('a contract', () => {
  const key = signingKeyFrom(new Uint8Array(32).fill(7));
  const packs = [{ pack: 'test', version: 1, rules: [HIGH_PULSE] }];
  const [known] = fold(derive([rules(HIGH_PULSE)])).orders.contracts;
  const signature = signContract(known?.hash ?? '', key);
  const activate = (signatures: readonly unknown[]): Frame => act({ type: 'contracts', packs, by: [BEN], signatures });

  it('names the keys of those who signed it, in the state and in the chain', () => {
    const checkpoints = derive([activate([signature, signature])]);
    expect(fold(checkpoints).orders.contracts).toMatchObject([{ hash: known?.hash, signers: [signature.key] }]);
    const entry = decodeEntry(checkpoints[0]?.entries[0]?.bytes as Uint8Array);
    expect(entry.fields.get('signers')).toEqual([new Uint8Array(Buffer.from(signature.key, 'hex'))]);
  });

  it('with a signature that is not good is not put in force', () => {
    const other = signContract('00'.repeat(32), key);
    for (const bad of [{ ...signature, signature: '00'.repeat(64) }, { ...other, contract: signature.contract }, { ...signature, key: '02'.repeat(33) }, 7]) {
      expect(fold(derive([activate([bad])])).orders.contracts).toEqual([]);
    }
  });

  it('that was signed afterwards is activated anew, by the same hash', () => {
    const checkpoints = derive([rules(HIGH_PULSE), activate([signature]), activate([signature])]);
    expect(entriesOf(checkpoints, 'contract')).toHaveLength(2);
  });
});

describe('a rule that only a value raises', () => {
  const low = rules({ ...HIGH_PULSE, id: 'low', when: 'spo2 < 92', clear: 'spo2 >= 92' });

  it('is raised by what was measured before it was in force, once time passes', () => {
    const spo2 = message('w', { measurement: 'spo2', value: 88, unit: '%' });
    expect(stepsOf(derive([bind('w'), at(0, spo2), at(10, low), at(20, tick()), at(61, tick()), at(121, tick())]))).toEqual(['61 #1 test/low none>active raised']);
  });
});
