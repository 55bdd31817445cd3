import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAcknowledgement, reasonOf, verdictOf } from '../../gateway/hl7/acknowledgement.ts';
import { framed, FrameReader } from '../../gateway/hl7/mllp.ts';
import { KiB } from '../../gateway/quantity.ts';

const texts = (frames: readonly Buffer[]): string[] => frames.map((frame) => frame.toString('utf8'));

describe('frames', () => {
  it('are found however they are cut and put together', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '|', 'é') })), fc.array(fc.nat(40)), fc.constantFrom('', '\r', '\n', 'noise'), (messages, cuts, between) => {
        const bytes = Buffer.concat(messages.flatMap((message) => [framed(message), Buffer.from(between)]));
        const reader = new FrameReader(KiB(1));
        const found: string[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          // The memory of a chunk is used again once it was read.
          const chunk = Buffer.from(bytes.subarray(at, at + cut));
          found.push(...texts(reader.push(chunk)));
          chunk.fill(0x0b);
          at += cut;
        }
        expect(found).toEqual(messages);
      }),
    );
  });

  it('end with 0x1C, whatever comes after it, and a new start gives up the old one', () => {
    const reader = new FrameReader(KiB(1));
    expect(texts(reader.push(Buffer.from('\u000Bone\u001C\n\u000Btwo\u001C\u000Bthree\u001Crest\u000Bcut off\u000Bfour\u001C\r')))).toEqual(['one', 'two', 'three', 'four']);
  });

  it('are not longer than may be', () => {
    const reader = new FrameReader(KiB(1));
    reader.push(Buffer.from(`\u000B${'x'.repeat(1000)}`));
    expect(() => reader.push(Buffer.from('x'.repeat(25)))).toThrow('an answer of more than 1 KiB');
  });
});

const read = (...segments: string[]): ReturnType<typeof readAcknowledgement> => readAcknowledgement(Buffer.from([String.raw`MSH|^~\&|ENGINE|X|VITALGATE|Y|20260101||ACK^R01^ACK|A1|P|2.6`, ...segments].join('\r')));

describe('an acknowledgement', () => {
  it.each([
    ['AA', [], 'taken'],
    ['CA', [], 'commit'],
    ['AE', [], 'refused'],
    ['AR', [], 'refused'],
    ['CE', ['ERR|||207^internal error^HL70357|E'], 'refused'],
    ['AE', ['ERR||PID^1^3|101^required field missing^HL70357|E'], 'refused for good'],
    ['AR', ['ERR|||200^unsupported message type^HL70357|E'], 'refused for good'],
    ['CR', ['ERR|||207^x|E', 'ERR|||103^table value not found|E'], 'refused for good'],
    ['AE', ['ERR|PID^1^5^101&Required field missing&HL70357'], 'refused for good'],
    ['AE', ['ERR|||206^record locked|E'], 'refused'],
  ])('%s with %j is %s', (code, errors, verdict) => {
    const answer = read(`MSA|${code}|17`, ...errors);
    expect(answer === undefined ? undefined : [answer.about, verdictOf(answer)]).toEqual(['17', verdict]);
  });

  it('says where and why in our words, and nothing that the engine repeats of the message', () => {
    const answer = read('MSA|AE|17|no patient Anna with id 4711', 'ERR||PID^1^3|204^unknown key Anna^HL70357|E|||Hon^Albert|no HO2009001', 'ERR||Anna|999^Anna|E');
    expect(answer === undefined ? undefined : reasonOf(answer)).toBe('AE, 204 somebody or something that is not known there, 999 (at PID 1 3)');
    expect(reasonOf({ code: 'AR', about: '17', errors: [], places: [] })).toBe('AR');
  });

  it('is none without a code that there is, or without a message header', () => {
    expect([read('MSA|XX|17'), read('ERR|||207'), readAcknowledgement(Buffer.from('MSA|AA|17')), readAcknowledgement(Buffer.of(0xff, 0xfe))]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('is asked to be answered itself where it says so', () => {
    const asks = readAcknowledgement(Buffer.from(String.raw`MSH|^~\&|ENGINE|X|VITALGATE|Y|20260101||ACK|A1|P|2.6|||AL|NE` + '\rMSA|AA|17'));
    expect([asks?.wantsAnswer, read('MSA|AA|17')?.wantsAnswer]).toEqual(['A1', undefined]);
  });
});
