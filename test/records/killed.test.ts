import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { withFolder } from '../contract/engines.ts';
import { GivingGateway } from './given.ts';
import { OpeningHospital } from './opened.ts';

const KEEP_OPENING = fileURLToPath(new URL('keep-opening.ts', import.meta.url));
const RELEASES = 40;
const PAYLOADS = 100;

/** Runs until it has come so far, and is killed then: in the middle of a step, for it never waits. */
async function killedAt(folder: string, newest: number): Promise<void> {
  const child = spawn(process.execPath, [KEEP_OPENING, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const over = new Promise((resolve) => child.once('close', resolve));
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    if (text.split('\n').some((line) => Number(line) >= newest)) break;
  }
  child.kill('SIGKILL');
  await over;
}

describe('opening what was released, killed in the middle', () => {
  it('goes on where it was: every payload is one record, and numbers that were seen stay', async () => {
    await withFolder(async (folder) => {
      const gateway = new GivingGateway();
      const entries: number[] = [];
      const store = await openRocksStore(folder);
      const before = new OpeningHospital(store);
      for (let n = 0; n < RELEASES; n++) {
        const more = Array.from({ length: PAYLOADS }, () => gateway.write(`patient/${n % 7}`));
        await gateway.seal(before.blocks);
        await before.releases.put(gateway.release({ keys: n < 7 ? [await gateway.sealedKey(`patient/${n}`)] : [], payloads: more.map((entry) => gateway.sealedPayload(entry)) }));
        entries.push(...more);
      }
      await store.close();
      const seen = new Map<number, number>();
      for (const newest of [1, 900, 1900]) {
        await killedAt(folder, newest);
        const reading = new OpeningHospital(await openRocksStore(folder, { readOnly: true }));
        const records = await reading.records.after(0, entries.length);
        expect(records.length).toBeGreaterThanOrEqual(newest);
        for (const { number, entry } of records) {
          expect(seen.get(number) ?? entry).toBe(entry);
          seen.set(number, entry);
        }
      }
      const engine = await openRocksStore(folder);
      const hospital = new OpeningHospital(engine);
      await hospital.settled();
      await hospital.projector.stop();
      const records = await hospital.records.after(0, entries.length + 1);
      expect(records.map(({ entry }) => entry)).toEqual(entries);
      for (const [number, entry] of seen) expect(records.find((each) => each.number === number)?.entry).toBe(entry);
      expect(await hospital.projector.status()).toMatchObject({ opened: entries.length, waiting: 0, bad: 0, behind: 0 });
      await engine.close();
    });
  });
});
