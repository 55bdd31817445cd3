import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_DEPTH } from '../../gateway/ledger/cbor-scan.ts';
import { CborError, type CborRules, type CborValue, decode, encode, Tagged } from '../../gateway/ledger/cbor.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

function faultOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof CborError) return thrown.fault;
    throw thrown;
  }
}

/** Encodings of RFC 8949 Appendix A that the profile allows. */
const EXAMPLES: readonly [hex: string, value: CborValue][] = [
  ['00', 0], ['01', 1], ['0a', 10], ['17', 23], ['1818', 24], ['1819', 25], ['1864', 100], ['1903e8', 1000], ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1b001fffffffffffff', Number.MAX_SAFE_INTEGER], ['3b001ffffffffffffe', Number.MIN_SAFE_INTEGER],
  ['20', -1], ['29', -10], ['3863', -100], ['3903e7', -1000], ['f4', false], ['f5', true], ['f6', null],
  ['40', hex('')], ['4401020304', hex('01020304')], ['60', ''], ['6161', 'a'], ['6449455446', 'IETF'], ['62225c', '"\\'],
  ['62c3bc', '\u00fc'], ['63e6b0b4', '\u6c34'], ['64f0908591', '\u{10151}'], ['80', []], ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]], ['a0', new Map()], ['a201020304', new Map([[1, 2], [3, 4]])],
  ['a26161016162820203', new Map<string, CborValue>([['a', 1], ['b', [2, 3]]])],
];

const FLOAT_EXAMPLES: readonly [hex: string, value: number][] = [
  ['f93e00', 1.5], ['fb3ff199999999999a', 1.1], ['f90001', 5.960464477539063e-8], ['f90400', 0.00006103515625],
  ['fa7f7fffff', 3.4028234663852886e38], ['fb7e37e43c8800759c', 1e300], ['fbc010666666666666', -4.1],
];

/** One attack a line: a name, the bytes, what is wrong with them. */
const REFUSED: readonly [name: string, hex: string, fault: 'malformed' | 'not_canonical', rules?: CborRules][] = [
  ['nothing at all', '', 'malformed'],
  ['a head without its argument', '19', 'malformed'],
  ['bytes that end early', '4401', 'malformed'],
  ['an array that ends early', '8301', 'malformed'],
  ['an array that claims 2^32 items', '9b0000000100000000', 'malformed'],
  ['a byte after the item', '0000', 'malformed'],
  ['reserved additional information', '1c', 'malformed'],
  ['a simple value nobody assigned', 'e0', 'malformed'],
  ['a small number in two bytes', '1817', 'not_canonical'],
  ['a small number in nine bytes', '1b0000000000000001', 'not_canonical'],
  ['a negative number in two bytes', '3800', 'not_canonical'],
  ['a length in two bytes', '5800', 'not_canonical'],
  ['an array length in two bytes', '980100', 'not_canonical'],
  ['a map length in two bytes', 'b8010000', 'not_canonical'],
  ['an array of indefinite length', '9f00ff', 'not_canonical'],
  ['a map of indefinite length', 'bf0000ff', 'not_canonical'],
  ['bytes of indefinite length', '5f4100ff', 'not_canonical'],
  ['a lone break', 'ff', 'not_canonical'],
  ['map keys out of order', 'a202000100', 'not_canonical'],
  ['map keys in length-first order', 'a22000181800', 'not_canonical'],
  ['a map key twice', 'a201000101', 'malformed'],
  ['a map key that is bytes', 'a1410000', 'not_canonical'],
  ['a map key that is an array', 'a18000', 'not_canonical'],
  ['a map key that is true', 'a1f500', 'not_canonical'],
  ['the whole number 2^53', '1b0020000000000000', 'not_canonical'],
  ['the whole number -2^53', '3b001fffffffffffff', 'not_canonical'],
  ['undefined', 'f7', 'not_canonical'],
  ['a fraction where none is allowed', 'f93e00', 'not_canonical'],
  ['text that is not UTF-8', '61ff', 'not_canonical'],
  ['text with half a surrogate pair', '63eda080', 'not_canonical'],
  ['text in decomposed form', '6375cc88', 'not_canonical'],
  ['text with a byte order mark', '64efbbbf61', 'not_canonical'],
  ['a tag nobody allowed', 'c100', 'malformed'],
  ['another tag than the allowed one', 'd100', 'malformed', { tags: [18] }],
  ['a tag in two bytes', 'd81200', 'not_canonical', { tags: [18, 1] }],
  ['a fraction in a longer form', 'fa3fc00000', 'not_canonical', { floats: true }],
  ['a whole number as a fraction', 'f93c00', 'not_canonical', { floats: true }],
  ['negative zero', 'f98000', 'not_canonical', { floats: true }],
  ['not a number', 'f97e00', 'not_canonical', { floats: true }],
  ['infinity', 'f97c00', 'not_canonical', { floats: true }],
];

describe('deterministic CBOR', () => {
  for (const [bytes, value] of EXAMPLES) {
    it(`writes and reads ${bytes} as RFC 8949 does`, () => {
      expect(encode(value)).toEqual(hex(bytes));
      expect(decode(hex(bytes))).toEqual(value);
    });
  }

  for (const [bytes, value] of FLOAT_EXAMPLES) {
    it(`writes and reads the fraction ${bytes} where fractions are allowed`, () => {
      expect(encode(value, { floats: true })).toEqual(hex(bytes));
      expect(decode(hex(bytes), { floats: true })).toBe(value);
    });
  }

  for (const [name, bytes, fault, rules] of REFUSED) {
    it(`refuses ${name}`, () => {
      expect(faultOf(() => decode(hex(bytes), rules))).toBe(fault);
    });
  }

  it('sorts map keys by their encoded bytes, whatever order they came in', () => {
    const keys = [100, -1, 'aa', 'z', 10, 1000, 'b'];
    const forward = encode(new Map(keys.map((key) => [key, 0])));
    expect(encode(new Map(keys.toReversed().map((key) => [key, 0])))).toEqual(forward);
    expect(Buffer.from(forward).toString('hex')).toBe('a70a001864001903e800200061620061' + '7a0062616100');
  });

  it('keeps a tag where its number is allowed', () => {
    const bytes = encode(new Tagged(18, [1]), { tags: [18] });
    expect(Buffer.from(bytes).toString('hex')).toBe('d28101');
    expect(decode(bytes, { tags: [18] })).toEqual(new Tagged(18, [1]));
  });

  it('refuses to encode what has no one encoding', () => {
    const circle: CborValue[] = [];
    circle.push(circle);
    const values: unknown[] = [
      undefined, 1n, 1.5, Number.NaN, 2 ** 53, '\ud800', 'u\u0308', '\ufeffa', { a: 1 }, new Date(0), new Map([[true, 1]]), circle,
    ];
    for (const value of values) expect(faultOf(() => encode(value as CborValue))).toBe('not_canonical');
    expect(faultOf(() => encode(new Tagged(18, 0)))).toBe('not_canonical');
  });

  it('says where in the value the fault is', () => {
    expect(() => encode(new Map([[5, [1, new Map([['x', 0.5]])]]]))).toThrow('(at /5/1/x)');
  });

  it('reads the deepest allowed nesting and refuses the next, without recursion running away', () => {
    const nested = (depth: number): Uint8Array => Uint8Array.from([...Array.from({ length: depth }, () => 0x81), 0]);
    expect(faultOf(() => decode(nested(MAX_DEPTH)))).toBeUndefined();
    expect(faultOf(() => decode(nested(MAX_DEPTH + 1)))).toBe('malformed');
    expect(faultOf(() => decode(nested(1_000_000)))).toBe('malformed');
  });

  const text = fc.string({ unit: 'grapheme', maxLength: 12 })
    .map((value) => value.normalize('NFC'))
    .filter((value) => !value.startsWith('\ufeff'));
  const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger().map((whole) => whole + 0),
      fc.double({ noDefaultInfinity: true, noNaN: true }).map((fraction) => fraction + 0),
      text,
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(fc.tuple(fc.oneof(fc.maxSafeInteger(), text), tie('value')), { maxLength: 5 }).map((pairs) => new Map(pairs)),
    ),
  }));

  it('reads back every value it writes', () => {
    fc.assert(fc.property(anyValue, (value) => {
      const bytes = encode(value, { floats: true });
      expect(encode(decode(bytes, { floats: true }), { floats: true })).toEqual(bytes);
      expect(decode(bytes, { floats: true })).toEqual(value);
    }), { numRuns: 500 });
  });

  it('reads random bytes as a value with exactly this encoding, or not at all', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 24 }), (bytes) => {
      let value: CborValue;
      try {
        value = decode(bytes, { floats: true });
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(CborError);
        return;
      }
      expect(encode(value, { floats: true })).toEqual(bytes);
    }), { numRuns: 2000 });
  });
});
