import { describe, expect, it } from 'vitest';
import { until } from '../path/program.ts';
import { Site } from '../path/site.ts';
import { moments, rounds, SEED } from './chance.ts';
import { Load } from './load.ts';

const ROUNDS = rounds(1 / 3);
const ROUND_MS = 20_000;

describe(`kill -9 of the hospital node (seed ${SEED})`, () => {
  it(`leaves no fork and no hole in ${ROUNDS} rounds under a stream of blocks: both copies are equal`, async () => {
    const chance = moments('hospital');
    await using site = await Site.running({ gateway: { seal: { age: '20ms' } } });
    using load = await Load.start(site);
    const receipted = async (): Promise<number> => (await site.api.status()).states.receipted.through;
    for (let round = 1; round <= ROUNDS; round++) {
      await site.hospital.ready();
      const goal = (await receipted()) + Math.round(chance.between(0, 1500));
      await until('more frames are receipted', async () => (await receipted()) >= goal);
      expect((await site.hospital.kill()).signal).toBe('SIGKILL');
      site.launchHospital();
    }
    await site.hospital.ready();
    await load.finish(`hospital node killed ${ROUNDS} times`);
  }, 60_000 + ROUNDS * ROUND_MS);
});
