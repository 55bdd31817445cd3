import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, framesOf, packFrames, unpackFrames } from '../../gateway/frame-codec.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { CLOCK_TRUSTS, FRAME_SOURCES, Sequence, type DeviceId, type Frame } from '../../gateway/reading.ts';
import { FRAME_SALT } from '../vault/known-keys.ts';

const name = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: 'grapheme', maxLength });
const frame: fc.Arbitrary<Frame> = fc.record({
  source: fc.constantFrom(...FRAME_SOURCES),
  device: name(20).map((text) => text as DeviceId),
  topic: name(40),
  qos: fc.constantFrom(0, 1, 2),
  dup: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  receivedAt: fc.double({ noNaN: true }).map(UnixMillis),
  uptime: fc.double({ noNaN: true }).map(Millis),
  clockTrust: fc.constantFrom(...CLOCK_TRUSTS),
});
const sample: Frame = {
  source: 'mqtt', device: 'w-1' as DeviceId, topic: 'a/b', qos: 2, dup: true, payload: Buffer.from('xyz'), receivedAt: UnixMillis(1),
  uptime: Millis(2),
  clockTrust: 'synchronised',
};

describe('a frame', () => {
  it('is read back as it was written', () => {
    fc.assert(fc.property(frame, (each) => {
      expect(decodeFrame(encodeFrame(each, FRAME_SALT))).toEqual(each);
    }));
  });

  it('has one encoding: what is read and written again is the same', () => {
    fc.assert(fc.property(frame, (each) => {
      const bytes = encodeFrame(each, FRAME_SALT);
      expect(encodeFrame(decodeFrame(bytes), FRAME_SALT)).toEqual(bytes);
    }));
  });

  it('lies in the journal as drawn', () => {
    const hex = ['00', '16', '3ff0000000000000', '4000000000000000', '03', '0003', '5a'.repeat(16), '772d31', '612f62', '78797a'].join('');
    expect(encodeFrame(sample, FRAME_SALT).toString('hex')).toBe(hex);
  });

  it('holds names of 255 and 65,535 bytes, and refuses longer ones', () => {
    const longest = { ...sample, device: 'd'.repeat(255) as DeviceId, topic: 't'.repeat(65_535) };
    expect(decodeFrame(encodeFrame(longest, FRAME_SALT))).toEqual(longest);
    const tooLong = [
      { ...sample, device: 'd'.repeat(256) as DeviceId }, { ...sample, device: '\u00e9'.repeat(128) as DeviceId },
      { ...sample, topic: 't'.repeat(65_536) },
    ];
    for (const each of tooLong) expect(() => encodeFrame(each, FRAME_SALT)).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
  });

  it('that is cut off in its header or names is refused', () => {
    const bytes = encodeFrame(sample, FRAME_SALT);
    for (let length = 0; length < bytes.length - sample.payload.length; length++) {
      expect(() => decodeFrame(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
    }
  });

  it('of an unknown source, quality of service or clock trust is refused', () => {
    const changed = (at: number, byte: number): Buffer => {
      const bytes = encodeFrame(sample, FRAME_SALT);
      bytes[at] = byte;
      return bytes;
    };
    for (const bytes of [changed(0, FRAME_SOURCES.length), changed(0, 255), changed(1, 0b11), changed(1, 0b11000)]) {
      expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
    }
  });

  it('of any bytes is read or refused as our own mistake, nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        decodeFrame(Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'VG_INTERNAL' });
      }
    }), { numRuns: 500 });
  });
});

describe('packed frames', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });

  it('are unpacked as they were packed, behind any reserve', () => {
    fc.assert(fc.property(frames, fc.nat(30), (all, reserve) => {
      const packed = packFrames(all, reserve);
      expect(packed.length).toBe(reserve + all.reduce((sum, each) => sum + 4 + each.length, 0));
      expect(unpackFrames(packed, reserve)).toEqual(all.map((each) => Buffer.from(each)));
    }));
  });

  it('have memory of their own, so that it can change hands', () => {
    const packed = packFrames([Buffer.from('a')]);
    expect(packed.buffer.byteLength).toBe(packed.length);
  });
});

describe('the frames of a run', () => {
  it('are numbered from its first and keep their bytes', () => {
    fc.assert(fc.property(fc.array(frame, { maxLength: 5 }), fc.integer({ min: 1, max: 2 ** 40 }), (all, first) => {
      const run = { first: Sequence(first), frames: all.map((each) => Uint8Array.from(encodeFrame(each, FRAME_SALT))) };
      const accepted = framesOf(run);
      expect(accepted.map(({ sequence }) => sequence)).toEqual(all.map((_, i) => first + i));
      expect(accepted.map((each) => each.frame)).toEqual(all);
      expect(accepted.map(({ bytes }) => bytes)).toEqual(run.frames);
    }));
  });
});
