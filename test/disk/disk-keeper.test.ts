import { describe, expect, it } from 'vitest';
import { DiskKeeper, type DiskKeeperOptions, type Expendable, type Sacrifice } from '../../gateway/disk/disk-keeper.ts';
import type { StoreError } from '../../gateway/errors.ts';
import { Bytes, MiB, Minutes } from '../../gateway/quantity.ts';
import { LogBook } from '../upstream/hospital.ts';

const GiB = (n: number): Bytes => MiB(1024 * n);

/** A disk of 1,000 MiB, with things on it that may go. */
class World {
  used = 500;
  aged = 0;
  readonly has: Record<Sacrifice['what'], number> = { payloads: 0, frames: 0, unreceipted_payloads: 0, blocks: 0 };
  readonly events: string[] = [];
  readonly log = new LogBook();
  refused: StoreError | undefined;
  failing = false;

  keeper(more: Partial<DiskKeeperOptions> = {}): DiskKeeper {
    return new DiskKeeper({
      measure: () => Promise.resolve({ used: MiB(this.used), free: GiB(10) }),
      limit: MiB(1000),
      fold: () => Promise.resolve(false),
      expendables: [this.#expendable('payloads'), this.#expendable('frames'), this.#expendable('unreceipted_payloads')],
      announce: ({ what, why }) => {
        if (this.failing) return Promise.reject(new Error('no'));
        this.events.push(`said ${what} ${why}`);
        return Promise.resolve();
      },
      refuse: (fault) => {
        this.refused = fault;
        this.events.push(fault === undefined ? 'taken again' : 'refused');
      },
      log: this.log,
      lookEvery: Minutes(10),
      ...more,
    });
  }

  #expendable(what: Sacrifice['what']): Expendable {
    const sacrifice = { what, first: 1, last: 10, count: 10 };
    return {
      next: () => Promise.resolve(this.has[what] > 0 ? sacrifice : undefined),
      aged: () => Promise.resolve(what === 'payloads' && this.aged-- > 0 ? sacrifice : undefined),
      drop: () => {
        this.has[what] -= 1;
        this.used -= 20;
        this.events.push(`dropped ${what}`);
        return Promise.resolve();
      },
    };
  }
}

describe('a disk that gets full', () => {
  it('loses nothing while there is room', async () => {
    const world = new World();
    world.has.payloads = 10;
    const keeper = world.keeper();
    await keeper.start();
    expect([keeper.status?.level, world.events]).toEqual(['roomy', []]);
    await keeper.stop();
  });

  it('loses what is least important first, and the chain hears of it before it is gone', async () => {
    const world = new World();
    Object.assign(world.has, { payloads: 1, frames: 1, unreceipted_payloads: 5 });
    world.used = 900;
    const keeper = world.keeper();
    await keeper.start();
    expect(world.events).toEqual(['said payloads disk', 'dropped payloads', 'said frames disk', 'dropped frames', 'said unreceipted_payloads disk', 'dropped unreceipted_payloads']);
    expect(keeper.status).toMatchObject({ level: 'roomy', dropped: { payloads: 10, frames: 10, unreceipted_payloads: 10 } });
    await keeper.stop();
  });

  it('refuses readings when nothing may go, and takes them again when there is room', async () => {
    const world = new World();
    world.used = 1001;
    const keeper = world.keeper();
    await keeper.start();
    expect([keeper.status?.level, world.refused?.code]).toEqual(['full', 'VG_STORE_FULL']);
    expect(world.refused?.message).toMatch(/^the disk is full: the gateway has .+ of .+, .+ are free; make room, or raise storage\.limit$/);
    world.used = 700;
    await keeper.look();
    expect([keeper.status?.level, world.refused]).toEqual(['roomy', undefined]);
    expect(world.events).toEqual(['refused', 'taken again']);
    await keeper.stop();
  });

  it('drops nothing that the chain could not be told of', async () => {
    const world = new World();
    world.has.payloads = 1;
    world.used = 950;
    world.failing = true;
    const keeper = world.keeper();
    await keeper.start();
    expect(world.events).toEqual([]);
    expect(world.log.messages('error')).toEqual(['keeping the disk within its limit']);
    world.failing = false;
    await keeper.look();
    expect(world.events).toEqual(['said payloads disk', 'dropped payloads']);
    await keeper.stop();
  });
});

it('what is older than its time goes while there is room, and what is old is made small until there is no more of it', async () => {
  const world = new World();
  world.aged = 2;
  let pieces = 5;
  const keeper = world.keeper({ fold: () => Promise.resolve(pieces-- > 0) });
  await keeper.start();
  expect(world.events).toEqual(['said payloads age', 'dropped payloads', 'said payloads age', 'dropped payloads']);
  expect(pieces).toBe(-1);
  expect(Bytes(keeper.status?.used ?? 0)).toBe(MiB(460));
  await keeper.stop();
});
