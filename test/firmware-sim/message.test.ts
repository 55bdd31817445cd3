import { describe, expect, it } from 'vitest';

import { encodeMessage, measured, topicOf } from '../../firmware-sim/message.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

const NOW = UnixMillis(1_764_000_000_123);

describe('a message on the wire', () => {
  it('goes to the topic of its device', () => {
    expect(topicOf('anna-wrist')).toBe('devices/anna-wrist/readings');
  });

  it('is flat for a lone value', () => {
    expect(encodeMessage(41, NOW, { readings: [measured('heart_rate', 71.6)] }).toString()).toBe(
      '{"seq":41,"time":1764000000123,"measurement":"heart_rate","value":72,"unit":"/min"}',
    );
  });

  it('lists several values', () => {
    const readings = [measured('heart_rate', 72), measured('skin_temperature', 33.349, 1)];
    expect(JSON.parse(encodeMessage(42, NOW, { readings }).toString())).toEqual({
      seq: 42,
      time: NOW,
      readings: [
        { measurement: 'heart_rate', value: 72, unit: '/min' },
        { measurement: 'skin_temperature', value: 33.3, unit: 'Cel' },
      ],
    });
  });

  it('wraps a waveform block with its rate', () => {
    const waveform = { measurement: 'ppg', unit: '1', rate: 50, samples: [0.12, 0.13] } as const;
    expect(JSON.parse(encodeMessage(43, NOW, { waveform }).toString())).toEqual({ seq: 43, time: NOW, waveform });
  });
});
