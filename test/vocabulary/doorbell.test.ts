import { describe, expect, it } from 'vitest';
import { Doorbell } from '../../gateway/doorbell.ts';
import { Millis } from '../../gateway/quantity.ts';

/** Whether the promise is settled once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise(setImmediate);
  return settled;
}

describe('a doorbell', () => {
  it('wakes whoever waits, and then is silent again', async () => {
    const bell = new Doorbell();
    const waiting = bell.wait();
    expect(await isSettled(waiting)).toBe(false);
    bell.ring();
    expect(await isSettled(waiting)).toBe(true);
    const again = bell.wait();
    expect(await isSettled(again)).toBe(false);
    bell.ring();
    await again;
  });

  it('that rang while nobody waited ends the next wait at once, however often it rang, and only that one', async () => {
    const bell = new Doorbell();
    bell.ring();
    bell.ring();
    expect(await isSettled(bell.wait())).toBe(true);
    const next = bell.wait();
    expect(await isSettled(next)).toBe(false);
    bell.ring();
    await next;
  });

  it('ends a wait with a limit by itself', async () => {
    expect(await new Doorbell().wait(Millis(1))).toBeUndefined();
  });
});
