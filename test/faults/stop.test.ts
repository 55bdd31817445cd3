import { describe, expect, it } from 'vitest';
import { Site } from '../path/site.ts';
import { Load } from './load.ts';

const STOPS = 3;
const WITHIN_MS = 10_000;

describe('SIGTERM under load', () => {
  it('ends gateway and hospital node with exit code 0 in time, and nothing acknowledged is lost', async () => {
    await using site = await Site.running();
    using load = await Load.start(site);
    for (let i = 0; i < STOPS; i++) {
      await load.more(300);
      for (const program of [site.gateway, site.hospital]) {
        const force = setTimeout(() => void program.kill(), WITHIN_MS);
        const { code, signal } = await program.stop();
        clearTimeout(force);
        expect([code, signal]).toEqual([0, null]);
      }
      await Promise.all([site.startHospital(), site.startGateway()]);
    }
    await load.finish(`stopped ${STOPS} times under load`);
  });
});
