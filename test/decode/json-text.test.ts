import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressFrom, instantAt, instantOf, isObject, memberOf, parseJson, parseObject, sortFindings } from '../../gateway/decode/json-text.ts';
import { DecodeError } from '../../gateway/errors.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const reasonOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
  return 'none';
};

describe('a JSON text', () => {
  it('is parsed as JSON.parse does, as deep as it may be', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 4 }), (text) => {
      expect(parseJson(bytes(text), 8)).toEqual(JSON.parse(text));
    }), { numRuns: 500 });
  });

  it('is refused with a reason when there is none', () => {
    expect(reasonOf(() => parseJson(new Uint8Array(), 5))).toBe('empty_payload');
    expect(reasonOf(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), 5))).toBe('invalid_utf8');
    expect(reasonOf(() => parseJson(bytes('\ufeff{}'), 5))).toBe('invalid_json');
    expect(reasonOf(() => parseJson(bytes('NaN'), 5))).toBe('invalid_json');
  });

  it('is refused before it is parsed when it nests too deep', () => {
    for (const depth of [1, 2, 5]) {
      expect(reasonOf(() => parseJson(bytes('['.repeat(depth) + ']'.repeat(depth)), depth))).toBe('none');
      expect(reasonOf(() => parseJson(bytes('['.repeat(depth + 1)), depth))).toBe('too_complex');
    }
    expect(reasonOf(() => parseJson(bytes('[{'.repeat(30_000)), 5))).toBe('too_complex');
    // Brackets in a text, and quotes behind a backslash, nest nothing.
    expect(parseJson(bytes(String.raw`{"a":"[[[[\"[[[","b":["\\"]}`), 2)).toEqual({ a: '[[[["[[[', b: ['\\'] });
    expect(parseJson(bytes('[[],[],[]]'), 2)).toEqual([[], [], []]);
  });

  it('is an object where one is expected', () => {
    for (const text of ['null', '[]', '1', '"a"', 'true']) expect(reasonOf(() => parseObject(bytes(text), 5))).toBe('wrong_shape');
    expect(isObject(parseObject(bytes('{"__proto__":1}'), 5))).toBe(true);
  });
});

describe('a member', () => {
  it('is never inherited', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) expect(memberOf({}, name)).toBeUndefined();
    expect(memberOf(parseObject(bytes('{"__proto__":7}'), 5), '__proto__')).toBe(7);
  });
});

describe('findings', () => {
  it('are not looked at beyond 256', () => {
    let looked = 0;
    const endless = (function* endless() {
      for (;;) yield { name: `c${looked++}`, value: 1 };
    })();
    expect(reasonOf(() => sortFindings(endless))).toBe('too_complex');
    expect(looked).toBe(257);
  });

  it('are counted whether they are understood or not', () => {
    expect(reasonOf(() => sortFindings(Array.from({ length: 257 }, () => new DecodeError('wrong_unit', 'x'))))).toBe('too_complex');
  });
});

describe('an address', () => {
  it('has at most 256 characters, and is absent when empty', () => {
    expect(addressFrom([])).toEqual({});
    expect(addressFrom(['a', 'b c'])).toEqual({ address: 'a/b c' });
    expect(reasonOf(() => addressFrom(['a'.repeat(257)]))).toBe('unknown_topic');
  });
});

describe('a time', () => {
  it('with an offset is an instant, whatever the zone', () => {
    const day = fc.date({ min: new Date('1600-01-01'), max: new Date('9999-12-30'), noInvalidDate: true });
    fc.assert(fc.property(day, fc.integer({ min: -1439, max: 1439 }), fc.boolean(), (date, minutes, hasColon) => {
      expect(instantOf(date.toISOString(), 'Asia/Tokyo')).toBe(date.getTime());
      const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1);
      const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((n) => String(n).padStart(2, '0'));
      expect(instantOf(`${local}${minutes < 0 ? '-' : '+'}${hours}${hasColon ? ':' : ''}${rest}`, undefined)).toBe(date.getTime());
    }), { numRuns: 1000 });
  });

  it('without an offset needs a zone', () => {
    expect(instantOf('2018-03-02T18:25:03', undefined)).toBeUndefined();
    expect(instantOf('2018-03-02T18:25:03', 'Nowhere/Else')).toBeUndefined();
    expect(instantOf('2018-03-02T18:25:03.5', 'Europe/Berlin')).toBe(Date.UTC(2018, 2, 2, 17, 25, 3, 500));
    expect(instantOf('2018-07-02T18:25:03', 'Europe/Berlin')).toBe(Date.UTC(2018, 6, 2, 16, 25, 3));
  });

  it('that is none is refused', () => {
    const none = [
      '', 'now', '2018-02-30T00:00:00Z', '2018-03-02', '2018-03-02T24:00:00Z', '2018-03-02 18:25:03Z', '2018-03-02T18:25:03+24:00',
      '2018-03-02T18:25:03.Z', ' 2018-03-02T18:25:03Z',
    ];
    for (const text of none) expect(instantOf(text, 'Europe/Berlin')).toBeInstanceOf(DecodeError);
    expect(instantAt(Infinity)).toBeInstanceOf(DecodeError);
    expect(instantAt(1.4)).toBe(1);
  });
});
