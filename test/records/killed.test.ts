import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Seconds } from '../../gateway/quantity.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { withFolder } from '../contract/engines.ts';
import { stopDatabases, takeDatabase } from '../contract/postgres-databases.ts';
import { needs } from '../debian-packages.ts';
import { GivingGateway } from './given.ts';
import { OpeningHospital } from './opened.ts';

const KEEP_OPENING = fileURLToPath(new URL('keep-opening.ts', import.meta.url));
const RELEASES = 40;
const PAYLOADS = 100;

/** A process that opens records until it is killed. */
class Opening {
  readonly #process: ChildProcess;
  readonly #over: Promise<unknown>;
  #newest = 0;
  #heard: (() => void)[] = [];

  constructor(place: string, holder: string) {
    this.#process = spawn(process.execPath, [KEEP_OPENING, place, holder], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#over = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#newest = Math.max(this.#newest, ...text.split('\n').map(Number));
      for (const hear of this.#heard.splice(0)) hear();
    });
  }

  /** Until it has seen a record of that number. */
  async reaches(newest: number): Promise<void> {
    while (this.#newest < newest) await new Promise<void>((resolve) => this.#heard.push(resolve));
  }

  /** In the middle of a step, for it never waits while there is something to do. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#over;
  }
}

/** Payloads for {@link RELEASES} releases, none of them opened. Returns their entries. */
async function given(engine: KeyValueStore): Promise<readonly number[]> {
  const [gateway, hospital] = [new GivingGateway(), new OpeningHospital(engine)];
  const entries: number[] = [];
  for (let n = 0; n < RELEASES; n++) {
    const more = Array.from({ length: PAYLOADS }, () => gateway.write(`patient/${n % 7}`));
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: n < 7 ? [await gateway.sealedKey(`patient/${n}`)] : [], payloads: more.map((entry) => gateway.sealedPayload(entry)) }));
    entries.push(...more);
  }
  return entries;
}

/** Every record, of which none has changed its number since it was seen. */
async function look(engine: KeyValueStore, seen: Map<number, number>): Promise<readonly number[]> {
  const records = await new OpeningHospital(engine).records.after(0, RELEASES * PAYLOADS + 1);
  for (const { number, entry } of records) {
    expect(seen.get(number) ?? entry).toBe(entry);
    seen.set(number, entry);
  }
  for (const number of seen.keys()) expect(records.some((each) => each.number === number)).toBe(true);
  return records.map(({ entry }) => entry);
}

describe('opening what was released, killed in the middle', () => {
  it('goes on where it was: every payload is one record, and numbers that were seen stay', async () => {
    await withFolder(async (folder) => {
      const before = await openRocksStore(folder);
      const entries = await given(before);
      await before.close();
      const seen = new Map<number, number>();
      for (const newest of [1, 900, 1900]) {
        const opening = new Opening(folder, 'one');
        await opening.reaches(newest);
        await opening.kill();
        const reading = await openRocksStore(folder, { readOnly: true });
        expect((await look(reading, seen)).length).toBeGreaterThanOrEqual(newest);
        await reading.close();
      }
      const engine = await openRocksStore(folder);
      const hospital = new OpeningHospital(engine);
      await hospital.settled();
      await hospital.projector.stop();
      expect(await look(engine, seen)).toEqual(entries);
      expect(await hospital.projector.status()).toMatchObject({ opened: entries.length, waiting: 0, bad: 0, behind: 0 });
      await engine.close();
    });
  });
});

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.skipIf(needed.missing)(`two processes over one PostgreSQL${needed.note}`, () => {
  it('open what was released one at a time, and the other goes on when the one that does is killed', async () => {
    const { url, giveBack } = await takeDatabase();
    const { store, close } = await openPostgres([url], { durability: 'local' });
    const entries = await given(store);
    const processes = { one: new Opening(url, 'one'), two: new Opening(url, 'two') };
    await Promise.race([processes.one.reaches(500), processes.two.reaches(500)]);
    const isOne = await new OpeningHospital(store).leases.hold('projector', 'one', Seconds(15));
    const [killed, left] = isOne ? [processes.one, processes.two] : [processes.two, processes.one];
    await killed.kill();
    const seen = new Map<number, number>();
    await look(store, seen);
    await left.reaches(entries.length);
    await left.kill();
    expect(await look(store, seen)).toEqual(entries);
    expect(await new OpeningHospital(store).store.state()).toMatchObject({ newest: entries.length, opened: entries.length, bad: 0 });
    await close();
    await giveBack();
  }, 120_000);
});
