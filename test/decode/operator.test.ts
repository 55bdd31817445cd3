import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOperatorAction, encodeOperatorAction, type Actor, type OperatorAction } from '../../gateway/decode/operator.ts';
import { DecodeError } from '../../gateway/errors.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, isSubjectId, type DeviceId } from '../../gateway/reading.ts';

const device = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/).map((text) => text as DeviceId);
const subject = fc.record(
  {
    kind: fc.constantFrom('patient', 'room'),
    id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((text) => text.normalize('NFC')).filter(isSubjectId),
  }
);
const patient = subject.map(({ id }) => id);
const by: fc.Arbitrary<Actor> = fc.record({ id: fc.stringMatching(/^[a-z]{1,20}$/), role: fc.stringMatching(/^[a-z]{0,20}$/) });
const instant = fc.integer({ min: -9e12, max: 9e12 }).map((ms) => UnixMillis(ms));
const action: fc.Arbitrary<OperatorAction> = fc.oneof(
  fc.record({ type: fc.constant('bind' as const), device, subject, from: instant, until: instant }, { requiredKeys: ['type', 'device', 'subject'] }),
  fc.record({
    type: fc.constant('retry' as const), sequence: fc.integer({ min: 1 }).map((n) => Sequence(n)), frame: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    taken: fc.array(fc.string()),
  }),
  fc.record({ type: fc.constant('unbind' as const), device }),
  fc.record({ type: fc.constant('enrol' as const), device, credential: fc.constant('password' as const) }),
  fc.record({
    type: fc.constant('enrol' as const), device, credential: fc.constant('certificate' as const),
    fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  }),
  fc.record({ type: fc.constant('revoke' as const), device }),
  fc.record({ type: fc.constant('contracts' as const), packs: fc.array(fc.record({ pack: fc.string() })), by: fc.array(by) }),
  fc.record({ type: fc.constant('patients' as const), patients: fc.array(fc.record({ id: fc.string() })) }),
  fc.record({ type: fc.constant('prescribe' as const), patient, spo2Scale: fc.constantFrom<1 | 2>(1, 2), by }),
  fc.record({ type: fc.constant('observe' as const), patient, values: fc.dictionary(fc.stringMatching(/^[a-z_]{1,20}$/), fc.integer(), { minKeys: 1, maxKeys: 9 }), by }),
  fc.record({ type: fc.constant('waveform' as const), patient, measurement: fc.string(), time: fc.integer({ min: 1 }).map(Millis), by }),
  fc.record({ type: fc.constant('alarms' as const), policy: fc.record({ people: fc.array(fc.string()) }) }),
  fc.record({ type: fc.constant('acknowledge' as const), alarm: fc.integer({ min: 1 }), revision: fc.integer({ min: 1 }), by }),
  fc.record({ type: fc.constant('snooze' as const), alarm: fc.integer({ min: 1 }), revision: fc.integer({ min: 1 }), time: fc.integer({ min: 1 }).map(Millis), by }),
  fc.record({ type: fc.constant('local' as const), offset: fc.integer({ min: -840, max: 840 }), quiet: fc.boolean() }),
);

const bind = (change: object): Uint8Array => Buffer.from(
  JSON.stringify({ type: 'bind', device: 'watch-1', subject: { kind: 'patient', id: 'anna' }, ...change })
);

const enrol = (change: object): Uint8Array => Buffer.from(JSON.stringify({ type: 'enrol', device: 'watch-1', credential: 'certificate', fingerprint: 'ab'.repeat(32), ...change }));

describe('an operator action', () => {
  it('is read back as it was written', () => {
    fc.assert(fc.property(action, (each) => {
      expect(decodeOperatorAction(encodeOperatorAction(each))).toEqual(each);
    }));
  });

  it('names a subject in one way, however its accents were typed', () => {
    expect(decodeOperatorAction(bind({ subject: { kind: 'patient', id: 'Rene\u0301' } }))).toMatchObject({ subject: { id: 'Ren\u00e9' } });
  });

  const refused: readonly [name: string, payload: Uint8Array, reason: string][] = [
    ['no bytes', new Uint8Array(), 'invalid_json'],
    ['no JSON', Buffer.from('bind'), 'invalid_json'],
    ['null', Buffer.from('null'), 'wrong_shape'],
    ['a number', Buffer.from('7'), 'wrong_shape'],
    ['no type', Buffer.from('{}'), 'wrong_shape'],
    ['a type of a later version', Buffer.from('{"type":"divorce"}'), 'wrong_shape'],
    ['a name of the prototype as type', Buffer.from('{"type":"constructor"}'), 'wrong_shape'],
    ['a type that cannot become text', Buffer.from('{"type":{"toString":1}}'), 'wrong_shape'],
    ['no device', bind({ device: undefined }), 'wrong_shape'],
    ['a device that is a path', bind({ device: '../etc' }), 'wrong_shape'],
    ['a device that is a number', bind({ device: 7 }), 'wrong_shape'],
    ['no subject', bind({ subject: undefined }), 'wrong_shape'],
    ['a subject that is null', bind({ subject: null }), 'wrong_shape'],
    ['a subject of another kind', bind({ subject: { kind: 'dog', id: 'rex' } }), 'wrong_shape'],
    ['a subject without name', bind({ subject: { kind: 'patient', id: '' } }), 'wrong_shape'],
    ['a subject with a slash', bind({ subject: { kind: 'patient', id: 'a/b' } }), 'wrong_shape'],
    ['a subject with a control character', bind({ subject: { kind: 'patient', id: 'a\nb' } }), 'wrong_shape'],
    [
      'a subject with an unpaired surrogate', Buffer.from('{"type":"bind","device":"w","subject":{"kind":"room","id":"\\ud800"}}'),
      'wrong_shape',
    ],
    ['a subject of 65 characters', bind({ subject: { kind: 'patient', id: 'a'.repeat(65) } }), 'wrong_shape'],
    ['a beginning that is a text', bind({ from: 'now' }), 'wrong_shape'],
    ['an end that is half a millisecond', bind({ until: 1.5 }), 'wrong_shape'],
    ['a retry of no frame', Buffer.from('{"type":"retry","sequence":1,"taken":[]}'), 'wrong_shape'],
    ['a retry without a sequence', Buffer.from('{"type":"retry","frame":"","taken":[]}'), 'wrong_shape'],
    ['a retry of which nobody knows what was taken', Buffer.from('{"type":"retry","sequence":1,"frame":"","taken":[1]}'), 'wrong_shape'],
    ['no credential', enrol({ credential: undefined }), 'wrong_shape'],
    ['a credential of another kind', enrol({ credential: 'face' }), 'wrong_shape'],
    ['a certificate without its fingerprint', enrol({ fingerprint: undefined }), 'wrong_shape'],
    ['a fingerprint that is none', enrol({ fingerprint: 'ab' }), 'wrong_shape'],
    ['a fingerprint in capitals', enrol({ fingerprint: 'AB'.repeat(32) }), 'wrong_shape'],
    ['a password with a fingerprint', enrol({ credential: 'password' }), 'wrong_shape'],
    ['a revocation of nobody', Buffer.from('{"type":"revoke"}'), 'wrong_shape'],
    ['packs that are no array', Buffer.from('{"type":"contracts","packs":{},"by":[]}'), 'wrong_shape'],
    ['packs that nobody put in force', Buffer.from('{"type":"contracts","packs":[],"by":[{}]}'), 'wrong_shape'],
    ['an answer to no alarm', Buffer.from('{"type":"acknowledge","alarm":0,"revision":1,"by":{"id":"a","role":"b"}}'), 'wrong_shape'],
    ['an answer of nobody', Buffer.from('{"type":"acknowledge","alarm":1,"revision":1}'), 'wrong_shape'],
    ['a pause of no time', Buffer.from('{"type":"snooze","alarm":1,"revision":1,"time":0,"by":{"id":"a","role":"b"}}'), 'wrong_shape'],
    ['a scale that is none', Buffer.from('{"type":"prescribe","patient":"anna","spo2Scale":3,"by":{"id":"a","role":"clinician"}}'), 'wrong_shape'],
    ['an observation of nothing', Buffer.from('{"type":"observe","patient":"anna","values":{},"by":{"id":"a","role":"b"}}'), 'wrong_shape'],
    ['an observation in words', Buffer.from('{"type":"observe","patient":"anna","values":{"spo2":"low"},"by":{"id":"a","role":"b"}}'), 'wrong_shape'],
    ['clocks that are a day ahead', Buffer.from('{"type":"local","offset":1440,"quiet":false}'), 'wrong_shape'],
    ['an hour that is neither quiet nor not', Buffer.from('{"type":"local","offset":0}'), 'wrong_shape'],
  ];
  for (const [name, payload, reason] of refused) {
    it(`with ${name} is refused`, () => {
      expect(() => decodeOperatorAction(payload)).toThrow(expect.objectContaining({ reason }));
    });
  }

  it('of any bytes is decoded or refused with a reason, nothing else', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 60 }), fc.json().map((text) => Buffer.from(text)),
      fc.dictionary(
        fc.constantFrom('type', 'device', 'subject', 'packs', 'by', 'patients', 'policy'), fc.jsonValue(),
      ).map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(fc.property(payload, (bytes) => {
      try {
        expect(['bind', 'unbind', 'retry', 'revoke', 'contracts', 'patients', 'alarms']).toContain(decodeOperatorAction(bytes).type);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }), { numRuns: 500 });
  });
});
