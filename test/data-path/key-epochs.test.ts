import { describe, expect, it } from 'vitest';
import { decodeOperatorAction, encodeOperatorAction } from '../../gateway/decode/operator.ts';
import { Erasure } from '../../gateway/erasure.ts';
import { KeyEpochs } from '../../gateway/key-epochs.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type ClockTrust } from '../../gateway/reading.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { bind, message, pulse, START, tick } from '../derive/story.ts';
import { memoryKeyring } from '../vault/known-keys.ts';
import { House } from './house.ts';

const DAY = Minutes(24 * 60);

describe('epochs of keys', () => {
  it('begin by a decision, when the clock that says so can be believed, and never end by one that was put back', async () => {
    const keyring = memoryKeyring();
    const decided: unknown[] = [];
    let [now, trust]: [number, ClockTrust] = [START, 'synchronised'];
    const epochs = new KeyEpochs({
      pipeline: { decide: async (action) => {
        const told = decodeOperatorAction(action);
        if (told.type === 'epoch') keyring.enter(told.epoch);
        return Sequence(decided.push(told));
      } },
      keyring, clock: { now: () => UnixMillis(now), trust: () => trust, uptime: () => Minutes(0) }, began: START, length: Minutes(30 * 24 * 60), onFault: () => undefined,
    });
    await epochs.look();
    now = START + 31 * DAY;
    trust = 'implausible';
    await epochs.look();
    expect(decided).toEqual([]);
    trust = 'unverified';
    await epochs.look();
    await epochs.look();
    now = START + DAY;
    await epochs.look();
    now = START + 95 * DAY;
    await epochs.look();
    expect(decided).toEqual([{ type: 'epoch', epoch: 2 }, { type: 'epoch', epoch: 4 }]);
  });

  it('can be erased one by one: what was said later stays', async () => {
    await using house = await House.open(openMemoryStore());
    const { keyring, journal, deriveStore } = house.parts;
    const erasure = new Erasure({
      pipeline: house.pipeline, journal, keyring, deriveStore, tellErased: async () => async () => undefined,
      erasures: { begin: async () => undefined, underWay: async () => undefined, end: async () => undefined, reseal: async () => [] },
      log: { info: () => undefined, warn: () => undefined } as never,
    });
    await house.seal(bind('w'), message('w', pulse(70)), tick());
    await house.pipeline.carryOut([encodeOperatorAction({ type: 'epoch', epoch: 2 })]);
    const [later] = await house.seal(message('w', pulse(71)), tick());
    const by = { id: 'ben', role: 'administrator' };
    const anna = { kind: 'patient', id: 'anna' } as const;
    await expect(erasure.run({ subject: anna, through: 2, by })).rejects.toThrow(/epoch 2 goes on/);
    expect(await erasure.run({ subject: anna, through: 1, by })).toEqual({ keys: 3, frames: 2 });
    const run = await journal.read(Sequence(1), Minutes(1) as never);
    expect([...(run?.erased?.keys() ?? [])]).toEqual([1, 2]);
    expect((await house.trace('w', later)).accepted.payload).toContain('71');
    expect(house.pipeline.derived.subjectAt('w' as never, UnixMillis(Date.now()))).toEqual(anna);
    await house.seal(tick());
    const told = (await house.audit('record')).filter(({ kind }) => kind === 'erasure');
    expect(told.map(({ fields, subject }) => [fields.get('through'), (fields.get('keys') as unknown[]).length, subject])).toEqual([[1, 1, undefined]]);
    expect(house.checkpoints.flatMap(({ entries }) => entries).map(({ bytes }) => decodeEntry(bytes).kind)).toContain('erasure');
  });
});
