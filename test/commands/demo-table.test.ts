import { describe, expect, it } from 'vitest';
import type { Status } from '../../gateway/administration.ts';
import { DemoTable } from '../../gateway/commands/demo-table.ts';

function statusWith(messages: number): Status {
  const state = { messages, through: messages };
  return {
    chain: 'aa',
    startedAt: '2026-11-22T00:00:00.000Z',
    fault: null, disk: null,
    states: { received: state, accepted: state, sealed: state, relayed: state, receipted: { messages: messages / 2, through: 1 } },
    queues: { accept: 0, derive: 0 },
    lanes: [{ lane: 'record', height: 7, hash: 'ab'.repeat(32), entries: 12 }],
    totals: { readings: 0, duplicates: 0, events: 0, implausibleDeviceClocks: 0, quarantined: {}, recovered: 0 },
    relays: [{ hospital: 'north', lane: 'record', state: 'waiting', height: 7, lag: 0, lastError: undefined, nextTryIn: undefined }],
    lastEvent: null,
  };
}

describe('the table of the demo', () => {
  it('shows totals and what came since the last look', () => {
    const rows: string[] = [];
    const table = new DemoTable({ out: (row) => rows.push(row), live: false });
    table.show(statusWith(10), [], 1000);
    rows.length = 0;
    table.show(statusWith(30), ['link ethernet: north up'], 3000);
    expect(rows).toEqual([
      'messages       received   accepted     sealed    relayed  receipted',
      '  per second       10.0       10.0       10.0       10.0        5.0',
      '  in all             30         30         30         30         15',
      `lane record block     7      12 entries  ${'ab'.repeat(12)}…`,
      'north record: waiting, all blocks countersigned',
      'link ethernet: north up',
      'last event  none yet',
    ]);
  });

  it('draws over itself on a terminal only', () => {
    const rows: string[] = [];
    const table = new DemoTable({ out: (row) => rows.push(row), live: true });
    table.show(statusWith(1), [], 0);
    expect(rows[0]?.startsWith('\x1b[2Kmessages')).toBe(true);
    const drawn = rows.length;
    table.show(statusWith(2), [], 1000);
    expect(rows[drawn]).toBe(`\x1b[${drawn + 1}A`);
  });

  it('is no wider than the terminal it draws over', () => {
    const rows: string[] = [];
    new DemoTable({ out: (row) => rows.push(row), live: true, width: 20 }).show(statusWith(1), ['link 5g: north up; modem connected'], 0);
    expect(rows.every((row) => row.replace('\x1b[2K', '').length <= 20)).toBe(true);
  });
});
