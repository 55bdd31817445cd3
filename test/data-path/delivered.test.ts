import { describe, expect, it } from 'vitest';
import { deliveredHeight, heightEverywhere } from '../../gateway/delivered.ts';
import type { ReleasePart } from '../../gateway/uplink/release-cursors.ts';

const KEYS: readonly Uint8Array[] = [Uint8Array.of(1), Uint8Array.of(2)];
const uplink = (receipted: number | undefined, ...heights: readonly (number | undefined)[]) => ({ receiptedHeight: () => receipted, heightOf: (_lane: string, key: Uint8Array) => heights[KEYS.indexOf(key)] });
const given = (record: number, detail: number) => ({ given: (part: ReleasePart) => ({ alarm: 0, record, detail })[part] });
const hospitals = KEYS.map((key) => ({ key }));

describe('how far hospitals have what is here', () => {
  it('is what enough have countersigned and all have payloads of; waveforms count where a hospital is given everything', () => {
    const relays = [given(90, 10), given(80, 20)];
    expect(deliveredHeight(uplink(100), relays, [{ payloads: 'summary' }, { payloads: 'none' }])).toBe(80);
    expect(deliveredHeight(uplink(100), relays, [{ payloads: 'summary' }, { payloads: 'full' }])).toBe(20);
    expect(deliveredHeight(uplink(70), relays, [{ payloads: 'summary' }, { payloads: 'none' }])).toBe(70);
    expect([deliveredHeight(uplink(undefined), relays, []), deliveredHeight(undefined, relays, [])]).toEqual([undefined, undefined]);
    expect(deliveredHeight(uplink(100), [], [])).toBe(100);
  });

  it('everywhere is what the last hospital has, one block less, all payloads looked through', () => {
    const relays = [given(90, 90), given(95, 85)];
    expect(heightEverywhere(uplink(100, 100, 60), hospitals, relays)).toBe(59);
    expect(heightEverywhere(uplink(100, 100, 100), hospitals, relays)).toBe(84);
    expect(heightEverywhere(uplink(50, 100, 100), hospitals, relays)).toBe(49);
    expect(heightEverywhere(uplink(100, 100, undefined), hospitals, relays)).toBe(-1);
    expect(heightEverywhere(uplink(100), [], [])).toBeUndefined();
  });
});
