import { describe, expect, it } from 'vitest';
import { isDeviceId, LANES, READING_STATES } from '../../gateway/reading.ts';

describe('a device id', () => {
  it.each(['a', 'watch-1', 'Room.7_b', '-', '_', '0', 'a'.repeat(64), 'a..b', '__proto__'])('may be "%s"', (text) => {
    expect(isDeviceId(text)).toBe(true);
  });

  it.each([
    '', '.', '..', '.hidden', 'a/b', 'a b', 'a+', '#', '+', '$SYS', 'a\n', '\na', 'a\0', '\u00e9', 'a'.repeat(65), 'a:b', '%61', '\ud800',
  ])('may not be %j', (text) => {
    expect(isDeviceId(text)).toBe(false);
  });
});

describe('the words of the program', () => {
  it('are the five states in order, and two lanes: their places are in signed and stored bytes', () => {
    expect(READING_STATES).toEqual(['received', 'accepted', 'sealed', 'relayed', 'receipted']);
    expect(LANES).toEqual(['alarm', 'record']);
  });
});
