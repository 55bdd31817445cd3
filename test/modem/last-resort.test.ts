import { describe, expect, it } from 'vitest';
import { LastResort } from '../../gateway/modem/last-resort.ts';
import { Millis, Minutes } from '../../gateway/quantity.ts';
import { LogBook } from '../upstream/hospital.ts';

type Told = Readonly<{ resort: LastResort; sent: string[]; set: (change: Partial<{ now: number; waiting: number; refuses: boolean }>) => Promise<void>; log: LogBook }>;

function resortTo(...to: string[]): Told {
  const world = { now: 0, waiting: 0, refuses: false, looked: 0 };
  const sent: string[] = [];
  const log = new LogBook();
  const resort = new LastResort({
    to,
    after: Minutes(5),
    again: Minutes(60),
    waiting: () => Promise.resolve((world.looked += 1, world.waiting)),
    name: '3f2a91bc',
    send: (number, text) => (world.refuses ? Promise.reject(new Error('+CMS ERROR: 331')) : Promise.resolve(void sent.push(`${number}: ${text}`))),
    now: () => Millis(world.now),
    log,
    lookEvery: Millis(1),
  });
  return {
    resort, sent, log,
    set: async ({ now = world.now / 60_000, ...change }) => {
      Object.assign(world, change, { now: Minutes(now) });
      // The look that is under way may not have seen it.
      const { looked } = world;
      await expect.poll(() => world.looked, { interval: 1 }).toBeGreaterThan(looked + 2);
    },
  };
}

describe('the last resort', () => {
  it('tells everybody once when alarms have waited for long, without a word of what they are about', async () => {
    const { resort, sent, set } = resortTo('+49151', '112');
    await set({ waiting: 2 });
    await set({ now: 4.9 });
    expect(sent).toEqual([]);
    await set({ now: 5 });
    const text = 'Vitalgate 3f2a91bc: alarms have reached no hospital for 5 min (2 waiting). Please look after the people there.';
    expect(sent).toEqual([`+49151: ${text}`, `112: ${text}`]);
    await set({ now: 64, waiting: 3 });
    expect(sent).toHaveLength(2);
    await set({ now: 65 });
    expect(sent).toHaveLength(4);
    expect(resort.sent).toBe(4);
    await resort.stop();
  });

  it('tells nobody when the hospital was reached in time, nor for a line that comes and goes', async () => {
    const { resort, sent, set } = resortTo('112');
    for (let minute = 0; minute < 60; minute += 4) {
      await set({ now: minute, waiting: 1 });
      await set({ now: minute + 3, waiting: 0 });
    }
    expect(sent).toEqual([]);
    await resort.stop();
  });

  it('tries again until the network has taken the message', async () => {
    const { resort, sent, set, log } = resortTo('112');
    await set({ waiting: 1, refuses: true });
    await set({ now: 6 });
    expect([sent, log.messages('warn')[0]]).toEqual([[], 'an SMS that alarms wait could not be sent']);
    await set({ now: 7, refuses: false });
    expect(sent).toHaveLength(1);
    await resort.stop();
  });
});
