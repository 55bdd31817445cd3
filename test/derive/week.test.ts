import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../firmware-sim/random.ts';
import type { RaisedAlarm } from '../../firmware-sim/week/score.ts';
import { simulateWeek, type WeekOptions } from '../../firmware-sim/week/week.ts';
import { Sequence } from '../../gateway/reading.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { EntryDigest, JournalWriter, replay } from '../bench/week-file.ts';
import { EPOCH, keepJournal, raisedIn, readyPacks, scoreOf, weekDeriver } from '../bench/week-journal.ts';

const LIVED: WeekOptions = { seed: 4, people: 2, leadIn: 0, days: 1, epoch: EPOCH };
const REPLAY = resolve(import.meta.dirname, '../bench/week-replay.ts');

/** Derivation of a small week: what `npm run bench -- week` does with twenty people. */
describe('some days of a few people', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-week-'));
  const file = join(folder, 'journal');
  const frames: Buffer[] = [];
  const alarms: RaisedAlarm[] = [];
  const [week, packs] = [simulateWeek(LIVED), readyPacks()];
  let hash = '';

  beforeAll(async () => {
    const digest = new EntryDigest();
    const writer = new JournalWriter(file);
    await keepJournal({
      week, packs, deriver: weekDeriver(),
      onFrame: (frame) => {
        frames.push(frame);
        writer.add(frame);
      },
      onCheckpoint: (checkpoint) => {
        digest.add(checkpoint);
        alarms.push(...raisedIn(checkpoint));
      },
      onProgress: () => undefined,
    });
    writer.close();
    hash = digest.hex();
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('give the same bytes in other batches', async () => {
    expect(await replay(frames, 1000, weekDeriver())).toBe(hash);
  });

  it('give the same bytes in another process', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [REPLAY, file, '97']);
    expect(stdout.trim()).toBe(hash);
  });

  it('give the same bytes with restarts at any place', async () => {
    const random = new Random('restarts');
    const engine = openMemoryStore();
    const digest = new EntryDigest();
    for (let at = 0; at < frames.length;) {
      // Opened anew each time, as after a crash: what had not been written is derived again.
      const store = new StoredDerivation(engine);
      const { state, committed } = await store.load();
      const until = Math.min(frames.length, Math.max(committed.cursor, state.cursor) + Math.round(random.exponential(frames.length / 12)) + 1);
      const { checkpoints } = weekDeriver(state, { committed }).deriveNow({ first: Sequence(state.cursor + 1), frames: frames.slice(state.cursor, until) });
      await store.commit(checkpoints);
      for (const checkpoint of checkpoints) if (checkpoint.cursor > committed.cursor) digest.add(checkpoint);
      at = until;
    }
    expect(digest.hex()).toBe(hash);
  });

  it('have everybody told in time who is in an emergency', () => {
    const { events } = scoreOf(alarms, week, packs, LIVED);
    const emergencies = events.filter(({ event }) => event.need === 'emergency');
    expect(emergencies.map(({ event }) => event.kind)).toContain('fall_long_lie');
    expect(emergencies.filter(({ inTime }) => !inTime).map(({ event }) => event.kind)).toEqual([]);
  });
});
