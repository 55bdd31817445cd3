import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { componentOf, escape, readMessage, unescape, writeMessage, type Segment } from '../../gateway/hl7/text.ts';
import { alarmMessage } from '../../gateway/hl7/alarms.ts';
import { stepOf } from '../../gateway/hl7/alarms.ts';
import { fuzzRuns, fuzzTimeout } from '../fuzz-runs.ts';
import { readStrictly, segmentsOf, textIn } from './readers.ts';
import { alarmStep, MAKING } from './records.ts';

const HOSTILE = fc.string({ unit: fc.constantFrom('|', '^', '~', '\\', '&', '\r', '\n', '"', 'X', 'F', '0', 'D', '.', 'br', 'MSH|^~\\&|', 'OBX|', '\u0000', '\u000B', '\u001C', '\u0085', '\u2028', '\uD800', '\u00E9', '\u{1F9E1}') });
const ANY = fc.oneof(HOSTILE, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constantFrom('""', '\\X0D\\', '\\.br\\', '\\F\\'));
const RUNS = fuzzRuns(500);

/** Neither reader keeps the spaces around a message, and bytes in hexadecimal alone are no text to one of them: so something stands around. */
const around = (text: string): string => `<${text}>`;

describe('any text', () => {
  it('is what another reader reads, in its place', () => {
    fc.assert(
      fc.property(ANY, ANY, ANY, (a, b, c) => {
        const segments: readonly Segment[] = [['MSH', 'A', around(a), undefined, undefined, '20260101', undefined, ['ORU', 'R01'], '1', 'P', '2.6'], ['ZZZ', around(b), [around(c), [around(a), around(b)]], 'end']];
        const message = writeMessage(segments);
        const read = readStrictly(message);
        expect(read.segments.map(({ segmentType }) => segmentType)).toEqual(['MSH', 'ZZZ']);
        const z = read.segments[1];
        expect([textIn(z?.field(1)), textIn(z?.field(2)), textIn(z?.field(3))]).toEqual([around(b.toWellFormed()), around(c.toWellFormed()), 'end']);
        expect(segmentsOf(message)).toEqual(['MSH', 'ZZZ']);
      }),
      { numRuns: RUNS },
    );
  }, fuzzTimeout(RUNS));

  it('is what we read ourselves', () => {
    fc.assert(fc.property(ANY, (text) => { expect(unescape(escape(text))).toBe(text.toWellFormed()); }), { numRuns: RUNS });
  }, fuzzTimeout(RUNS));

  it('never makes a segment, a field or a message more: in an alarm, wherever a text comes from outside', () => {
    fc.assert(
      fc.property(ANY, ANY, ANY, ANY, (message, rule, measurement, unit) => {
        const about = alarmStep(1, { message, rule, evidence: { values: [{ measurement, value: 1, unit }] }, by: { id: message } }, { subject: { kind: 'patient', person: unit } });
        const step = stepOf(about);
        if (step === undefined) throw new Error('no step');
        const text = alarmMessage(about, step, { ...MAKING, identity: { system: message, value: rule, name: unit } });
        const plain = alarmMessage(alarmStep(1, { message: 'm', rule: 'r', evidence: { values: [{ measurement: 'x', value: 1, unit: 'u' }] }, by: { id: 'i' } }), { ...step, message: 'm', rule: 'r', evidence: { values: [{ measurement: 'x', value: 1, unit: 'u' }] }, by: { id: 'i' } }, { ...MAKING, identity: { system: 'm', value: 'r', name: 'u' } });
        const shape = (written: string): readonly string[] => written.split('\r').map((line) => `${line.slice(0, 3)} ${line.split('|').length}`);
        // What is known by its name has a place of its own; no name here is one.
        expect(segmentsOf(text)).toEqual(segmentsOf(plain));
        expect(shape(text)).toEqual(shape(plain));
        // oxlint-disable-next-line no-control-regex
        expect(text).not.toMatch(/[\u0000-\u000C\u000E-\u001F\u007F-\u009F\u2028\u2029]/);
      }),
      { numRuns: RUNS },
    );
  }, fuzzTimeout(RUNS));

  it('cannot say that something is to be deleted', () => {
    expect([escape('""'), escape('a""'), escape('"')]).toEqual(['\\X2222\\', 'a""', '"']);
  });
});

describe('reading', () => {
  it.each([['\r'], ['\n'], ['\r\n']])('takes %j between segments', (end) => {
    const read = readMessage(`MSH|^~\\&|A|B${end}MSA|AA|17|a\\F\\b^c~d${end}`);
    expect(read?.map(({ name }) => name)).toEqual(['MSH', 'MSA']);
    expect([componentOf(read?.[0], 3), componentOf(read?.[1], 1), componentOf(read?.[1], 3), componentOf(read?.[1], 3, 2), componentOf(read?.[1], 9)]).toEqual(['A', 'AA', 'a|b', 'c', '']);
  });

  it('leaves alone what is no message', () => {
    expect([readMessage(''), readMessage('ACK'), readMessage('MSH#^~\\&#A')]).toEqual([undefined, undefined, undefined]);
  });
});
