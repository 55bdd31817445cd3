import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { DerivationOverview } from '../../gateway/derive/overview.ts';
import { sha256, toHex } from '../../gateway/ledger/bytes.ts';
import { decodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { DeviceId, Frame } from '../../gateway/reading.ts';
import { payloadBytes } from '../decode/sparkplug-payload.ts';
import {
  ANNA, BEN, bind, derive, deriveAndClose, deriverFrom, EMPTY_STATE, fold, HIGH_PULSE, message, operator, pulse, rules, runOf, START, tick,
  enrol, revoke, unbind,
} from './story.ts';
import { saidIn } from '../vault/known-keys.ts';

const kindsOf = (checkpoints: readonly Checkpoint[]): string[] => entriesOf(checkpoints).map(({ kind }) => kind);
const entriesOf = (checkpoints: readonly Checkpoint[]): Entry[] => checkpoints.flatMap(
  ({ entries }) => entries.map(({ bytes }) => decodeEntry(bytes))
);
const totalsOf = (checkpoints: readonly Checkpoint[]): Checkpoint['totals'] => checkpoints.at(-1)?.totals ?? EMPTY_STATE.totals;
const eventsOf = (checkpoints: readonly Checkpoint[]): Record<string, unknown>[] =>
  checkpoints.flatMap(({ entries }) => entries).filter(({ lane }) => lane === 'alarm')
    .map((entry) => saidIn(entry));
const reasonsOf = (checkpoints: readonly Checkpoint[]): string[] =>
  checkpoints.flatMap(({ quarantined }) => quarantined.flatMap(({ rejections }) => rejections.map(({ reason }) => reason)));

describe('a window', () => {
  it('closes on a timer frame, covering it', () => {
    const deriver = deriverFrom();
    expect(deriver.deriveNow(runOf([message('w', pulse(70)), message('w', pulse(71))]))).toEqual({ checkpoints: [], windowIsOpen: true });
    const { checkpoints, windowIsOpen } = deriver.deriveNow(runOf([tick()], 3));
    expect(windowIsOpen).toBe(false);
    expect(checkpoints).toMatchObject([{ cursor: 3, evidence: { first: 1, last: 3 } }]);
  });

  it('closes at once behind an event and behind what a person decided, also when it cannot be understood', () => {
    const frames = [rules(HIGH_PULSE), bind('w'), operator(Buffer.from('?')), message('w', pulse(90)), message('w', pulse(140))];
    expect(derive(frames).map(({ evidence: { first, last } }) => [first, last])).toEqual([[1, 1], [2, 2], [3, 3], [4, 5]]);
  });

  it('closes when 4,096 frames or 1 MiB are in it', () => {
    const many = Array.from({ length: 4097 }, (_, i) => message('w', pulse(70, { seq: i })));
    expect(derive(many).map(({ evidence: { first, last } }) => [first, last])).toEqual([[1, 4096]]);
    const large = Array.from({ length: 5 }, () => message('w', new Uint8Array(300_000)));
    expect(derive(large).map(({ evidence: { first, last } }) => [first, last])).toEqual([[1, 4]]);
  });

  it('carries the receive time of its last frame', () => {
    const late = UnixMillis(START + 5000);
    const [checkpoint] = derive([message('w', pulse(70)), { ...tick(), receivedAt: late }]);
    expect(entriesOf([checkpoint as Checkpoint]).at(-1)).toMatchObject({ kind: 'evidence', time: late });
  });
});

describe('a message', () => {
  it('of a bound device becomes readings of its subject', () => {
    const checkpoints = deriveAndClose(bind('w'), message('w', { readings: [pulse(70), pulse(71)] }));
    expect(kindsOf(checkpoints)).toEqual(['binding', 'evidence', 'evidence']);
    expect(totalsOf(checkpoints)).toMatchObject({ readings: 2, quarantined: {} });
  });

  const quarantined: readonly [name: string, frame: Frame, reasons: readonly string[]][] = [
    ['that is garbage', message('w', 'garbage'), ['invalid_json']],
    ['without bytes', message('w', ''), ['empty_payload']],
    ['of an unknown device', message('stranger', pulse(70)), ['unbound_device']],
    ['on a foreign topic', message('w', pulse(70), { topic: 'devices/other/readings' }), ['unknown_topic']],
    ['with a value no living person has', message('w', pulse(900)), ['implausible_value']],
    [
      'with two bad readings', message('w', { readings: [pulse(70), pulse(900), { measurement: 'aura', value: 1, unit: '1' }] }),
      ['unknown_measurement', 'implausible_value'],
    ],
  ];
  for (const [name, frame, reasons] of quarantined) {
    it(`${name} goes to quarantine with its reasons, counted`, () => {
      const checkpoints = deriveAndClose(bind('w'), frame);
      expect(reasonsOf(checkpoints)).toEqual(reasons);
      expect(
        checkpoints.flatMap((checkpoint) => checkpoint.quarantined)
      ).toMatchObject([{ sequence: 2, device: frame.device }]);
      const [quarantine] = checkpoints.flatMap((checkpoint) => checkpoint.quarantined);
      expect(quarantine?.decoder).toEqual(reasons[0] === 'unknown_topic' ? undefined : { name: 'native-json', version: 1 });
      expect(totalsOf(checkpoints).quarantined).toEqual(Object.fromEntries(reasons.map((reason) => [reason, 1])));
      const evidence = entriesOf(checkpoints).at(-1) as Entry;
      expect(evidence.fields.get('quarantined')).toBe(1);
    });
  }

  it('of a device whose binding was taken away is in quarantine from then on', () => {
    const checkpoints = deriveAndClose(bind('w'), message('w', pulse(70)), unbind('w'), message('w', pulse(71)));
    expect(totalsOf(checkpoints)).toMatchObject({ readings: 1, quarantined: { unbound_device: 1 } });
    expect(fold(checkpoints).bindings.get('w' as DeviceId)).toEqual([{ subject: ANNA, from: -60_000, until: 0 }]);
  });

  it('counts for whom its device was bound to when it came', () => {
    const minuteLater = { ...tick(), uptime: Millis(60_000) };
    const checkpoints = derive([bind('w'), message('w', pulse(70)), bind('w', { kind: 'room', id: '7' }), message('w', pulse(71)), minuteLater]);
    const subjects = entriesOf(checkpoints).filter(({ kind }) => kind === 'summary').map(({ subject }) => toHex(subject as Uint8Array));
    expect(new Set(subjects).size).toBe(2);
  });

  const clocks: readonly [name: string, time: number, inDoubt: number][] = [
    ['in 1970', 0, 1],
    ['in 2100', Date.UTC(2100, 0, 1), 1],
    ['a week ago', START - 7 * 86_400_000, 0],
    ['beyond all numbers of a clock', 1e300, 1],
    ['of minus zero', -0, 1],
    ['that is no whole number', 2 ** 60, 1],
  ];
  for (const [name, time, inDoubt] of clocks) {
    it(`with a device time ${name} is kept, and raises its event`, () => {
      const text = `{"time":${Object.is(time, -0) ? '-0' : time},"measurement":"heart_rate","value":140,"unit":"/min"}`;
      const checkpoints = deriveAndClose(rules(HIGH_PULSE), bind('w'), message('w', text));
      expect(totalsOf(checkpoints)).toMatchObject({ readings: 1, events: 1, implausibleDeviceClocks: inDoubt });
    });
  }
});

describe('an event', () => {
  it('says in its payload what happened, to whom, by which rule and which frame', () => {
    const checkpoints = deriveAndClose(
      rules(HIGH_PULSE), bind('w'), message('w', pulse(140, { time: START })), message('w', pulse(125)), message('w', pulse(119)),
    );
    const limit = new Map<string, unknown>([['measurement', 'heart_rate'], ['value', 140], ['unit', '/min'], ['limit', 130]]);
    const evidence = new Map<string, unknown>([['condition', 'heart_rate > 130'], ['values', [limit]], ['frames', [3]]]);
    const common = { subject: 'patient/anna', alarm: 1, rule: 'test/pulse-high', kind: 'physiological', priority: 'high', message: 'pulse very high', count: 1, raisedAt: 0, evidence, contract: expect.any(Uint8Array) as Uint8Array };
    expect(eventsOf(checkpoints)).toEqual([
      { ...common, why: 'raised', from: 'none', to: 'active', told: new Map<string, unknown>([['to', []], ['level', 1], ['levels', 1]]), notice: expect.stringContaining('not a certified medical device') as string },
      { ...common, why: 'cleared', from: 'active', to: 'latched' },
    ]);
    expect(totalsOf(checkpoints).events).toBe(2);
  });

  it('is withdrawn with a rule that leaves the pack, and raised again when it comes back', () => {
    const checkpoints = deriveAndClose(
      rules(HIGH_PULSE), bind('w'), message('w', pulse(140)), rules(), message('w', pulse(141)), rules(HIGH_PULSE), message('w', pulse(142)),
    );
    expect(eventsOf(checkpoints).map(({ why, to }) => [why, to])).toEqual([['raised', 'active'], ['withdrawn', 'latched'], ['raised_again', 'active']]);
  });

  it('says in the chain how urgent it is, and in its payload under which contract', () => {
    const checkpoints = deriveAndClose(rules(HIGH_PULSE), bind('w'), message('w', pulse(140)));
    const [contract] = entriesOf(checkpoints).filter(({ kind }) => kind === 'contract');
    const [event] = entriesOf(checkpoints).filter(({ kind }) => kind === 'event');
    expect(event?.fields).toEqual(
      new Map<string, unknown>([
        ['alarm', 1], ['step', 1], ['why', 'raised'], ['from', 'none'], ['to', 'active'], ['revision', 1], ['priority', 'high'],
      ]),
    );
    expect(Buffer.from(eventsOf(checkpoints)[0]?.['contract'] as Uint8Array).equals(contract?.fields.get('contract') as Uint8Array)).toBe(true);
  });

  it('belongs to the subject, not to the device', () => {
    const checkpoints = deriveAndClose(
      rules(HIGH_PULSE), bind('w'), bind('x'), message('w', pulse(140)), message('x', pulse(141)), message('x', pulse(100)),
    );
    expect(eventsOf(checkpoints).map(({ why, alarm }) => [why, alarm])).toEqual([['raised', 1], ['cleared', 1]]);
  });
});

describe('a rule pack', () => {
  it('is named by the hash of its JSON, in the chain and in the state', () => {
    const checkpoints = deriveAndClose(rules(HIGH_PULSE));
    const [active] = fold(checkpoints).orders.contracts;
    expect(active?.hash).toBe(toHex(sha256(Buffer.from(JSON.stringify(active?.contract)))));
    expect([active?.contract.pack, active?.by]).toEqual(['test', [BEN]]);
    expect(entriesOf(checkpoints)[0]).toMatchObject({
      kind: 'contract',
      fields: new Map<string, unknown>([['action', 'activate'], ['contract', Buffer.from(active?.hash ?? '', 'hex')], ['rules', 1], ['signers', []]]),
    });
  });

  it('that is in force already is no news, and one that is left out is withdrawn', () => {
    const actions = entriesOf(deriveAndClose(rules(HIGH_PULSE), rules(HIGH_PULSE), rules())).filter(({ kind }) => kind === 'contract').map(({ fields }) => fields.get('action'));
    expect(actions).toEqual(['activate', 'withdraw']);
  });

  it('of which a part cannot be applied changes nothing and is in quarantine', () => {
    const broken = [
      null, 7, 'rule', {}, { ...HIGH_PULSE, when: 'heart_rate >' }, { ...HIGH_PULSE, id: 'b', when: 'puls > 130' }, { ...HIGH_PULSE, id: 'b', clear: null },
      { ...HIGH_PULSE, id: 'b', priority: 'utmost' }, HIGH_PULSE,
    ];
    for (const rule of broken) {
      const checkpoints = deriveAndClose(rules(HIGH_PULSE), rules(HIGH_PULSE, rule), bind('w'), message('w', pulse(140)));
      expect(totalsOf(checkpoints)).toMatchObject({ events: 1, quarantined: { wrong_shape: 1 } });
    }
  });

  it('may be worded in any text', () => {
    const checkpoints = deriveAndClose(rules({ ...HIGH_PULSE, message: '\uFEFFPulse\u0301 \ud800' }), bind('w'), message('w', pulse(140)));
    expect(eventsOf(checkpoints)).toMatchObject([{ message: 'Puls\u00e9 \ufffd' }]);
  });
});

describe('the overview', () => {
  it('says after every checkpoint what a restart would load', () => {
    const frames = [
      rules(HIGH_PULSE), bind('w'), message('w', pulse(140)), message('x', pulse(1)), tick(), unbind('w'), message('x', 'garbage'), tick(),
    ];
    const overview = new DerivationOverview(EMPTY_STATE);
    const checkpoints = derive(frames);
    for (const [i, checkpoint] of checkpoints.entries()) {
      overview.take(checkpoint);
      const loaded = new DerivationOverview(fold(checkpoints.slice(0, i + 1)));
      for (const each of ['cursor', 'orders', 'alarms', 'totals', 'bindings'] as const) expect(overview[each]).toEqual(loaded[each]);
      for (const device of ['w', 'x', 'y']) expect(overview.lastWindowOf(device as never)).toBe(loaded.lastWindowOf(device as never));
    }
    expect(overview).toMatchObject({ cursor: 8 });
    expect(overview.lastWindowOf('w' as never)).toBe(3);
    expect(overview.lastWindowOf('x' as never)).toBe(8);
    expect(overview.lastWindowOf('y' as never)).toBeUndefined();
  });
});

describe('a binding', () => {
  it('is told in the payload, and taking away one that is not there is told too', () => {
    const checkpoints = deriveAndClose(bind('w', ANNA), unbind('w'), unbind('w'));
    const bindings = checkpoints.flatMap(({ entries }) => entries).filter(({ bytes }) => decodeEntry(bytes).kind === 'binding');
    expect(bindings.map(({ bytes }) => decodeEntry(bytes).fields.get('action'))).toEqual(['bind', 'unbind', 'unbind']);
    expect(bindings.map((entry) => saidIn(entry))).toEqual([
      { device: 'w', subject: 'patient/anna' }, { device: 'w', subject: 'patient/anna' }, { device: 'w', subject: null },
    ]);
  });
});

describe('a source that must say something again', () => {
  const data = (seq: number): Frame => message('hub', payloadBytes(seq, [{ alias: 1, double: 60 }]), { topic: 'devices/hub/sparkplug/spBv1.0/ward/DDATA/node/strap' });

  it('is noted in the checkpoint of its window, once for each topic, and not in the next', () => {
    const [first, second] = derive([data(1), data(2), tick(), data(3), message('w', pulse(70)), tick()]);
    const resync = { source: 'mqtt', connection: 'hub', topic: data(0).topic, address: 'ward/node/strap' };
    expect(first?.resyncs).toEqual([{ ...resync, sequence: 2 }]);
    expect(second?.resyncs).toEqual([{ ...resync, sequence: 4 }]);
    expect(derive([message('w', pulse(70)), tick()]).at(-1)?.resyncs).toEqual([]);
  });
});

describe('a credential', () => {
  const told = (...frames: readonly Frame[]): unknown[] =>
    deriveAndClose(...frames)
      .flatMap(({ entries }) => entries)
      .map((entry) => ({ ...decodeEntry(entry.bytes), lane: entry.lane, entry }))
      .filter(({ kind }) => kind === 'device' || kind === 'binding')
      .map(({ kind, lane, fields, entry }) => [kind, lane, Object.fromEntries(fields), saidIn(entry)]);

  it('is told when a device gets one, with the fingerprint of a certificate in the payload', () => {
    const fingerprint = '5a'.repeat(32);
    expect(told(enrol('w'), enrol('w', fingerprint))).toEqual([
      ['device', 'record', { action: 'enrol', credential: 'password' }, { device: 'w', fingerprint: null }],
      ['device', 'record', { action: 'enrol', credential: 'certificate' }, { device: 'w', fingerprint }],
    ]);
  });

  it('is told when it is taken away, and the binding with it', () => {
    expect(told(bind('w', ANNA), revoke('w'), revoke('w'))).toEqual([
      ['binding', 'record', { action: 'bind' }, { device: 'w', subject: 'patient/anna' }],
      ['device', 'record', { action: 'revoke' }, { device: 'w', fingerprint: null }],
      ['binding', 'record', { action: 'unbind' }, { device: 'w', subject: 'patient/anna' }],
      ['device', 'record', { action: 'revoke' }, { device: 'w', fingerprint: null }],
    ]);
  });

  it('that was taken away leaves the device to nobody', () => {
    const state = fold(deriveAndClose(bind('w'), bind('x'), revoke('w'), message('w', pulse(70)), message('x', pulse(71))));
    expect(state.totals).toMatchObject({ readings: 1, quarantined: { unbound_device: 1 } });
  });
});
