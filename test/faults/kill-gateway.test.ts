/** `VITALGATE_KILL_ROUNDS=1000 npm test -- test/faults/kill` kills as often as wanted. */

import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Site } from '../path/site.ts';
import { moments, rounds, SEED } from './chance.ts';
import { Load } from './load.ts';

const ROUNDS = rounds(1);
/** One kill in so many falls into a start, where the store recovers and devices wait at the door. */
const EVERY_START = 5;
const LONGEST_START_MS = 1500;
const ROUND_MS = 20_000;

describe(`kill -9 of the gateway (seed ${SEED})`, () => {
  it(`loses nothing acknowledged and doubles nothing in ${ROUNDS} rounds, and the hospital has the same chain`, async () => {
    const chance = moments('gateway');
    await using site = await Site.running({ mqtt: { maxRate: 1_000_000, maxRateBytes: '1GiB' }, gateway: { seal: { age: '20ms' } } });
    using load = await Load.start(site, { eager: true });
    for (let round = 1; round <= ROUNDS; round++) {
      if (round % EVERY_START === 0) await pause(chance.between(0, LONGEST_START_MS));
      else {
        await site.gateway.ready();
        await load.more(Math.round(chance.between(1, 1000)));
      }
      expect((await site.gateway.kill()).signal).toBe('SIGKILL');
      site.launchGateway();
    }
    await site.gateway.ready();
    await load.finish(`gateway killed ${ROUNDS} times`);
  }, 60_000 + ROUNDS * ROUND_MS);
});
