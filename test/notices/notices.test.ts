import { describe, expect, it } from 'vitest';
import { inOneLine, without } from '../../gateway/notices/line.ts';
import { Notices, type HandOver, type Notice } from '../../gateway/notices/notices.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

const NOTICE: Notice = { by: 'email', to: 'dora', text: 'help', within: Seconds(20) };

/** A way whose notices end when the test says so. */
class Held {
  readonly begun: Readonly<{ notice: Notice; end: (answer: string) => void; fail: (why: string) => void }>[] = [];
  hand = (notice: Notice, signal: AbortSignal): Promise<string> => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    this.begun.push({ notice, end: resolve, fail: (why) => reject(new Error(why)) });
  });
}

const fine: HandOver = { most: 1, hand: () => Promise.resolve('fine') };

function withMail(email: HandOver, uptime = (): Millis => Millis(0)): Notices {
  return new Notices({ ways: { email, sms: fine, buzzer: fine, command: fine }, uptime });
}

describe('notices', () => {
  it('say what became of them, and never throw', async () => {
    const notices = withMail({ most: 2, hand: ({ text }) => (text === 'help' ? Promise.resolve('250 taken\r\n') : Promise.reject(new Error('no such \u202E mailbox'))) });
    expect(await notices.tell(NOTICE)).toEqual({ outcome: 'handed_over', detail: '250 taken' });
    expect(await notices.tell({ ...NOTICE, text: 'other' })).toEqual({ outcome: 'failed', detail: 'no such mailbox' });
  });

  it('go a few at a time, some wait, and what is beyond that fails at once', async () => {
    const held = new Held();
    const notices = withMail({ most: 2, hand: held.hand });
    const told = Array.from({ length: 20 }, (_, i) => notices.tell({ ...NOTICE, text: String(i) }));
    expect(await told.at(-1)).toEqual({ outcome: 'failed', detail: '16 notices wait for this way already' });
    expect(held.begun).toHaveLength(2);
    for (let i = 0; i < 18; i++) {
      held.begun[i]?.end(`taken ${i}`);
      expect(await told[i]).toEqual({ outcome: 'handed_over', detail: `taken ${i}` });
    }
    expect(held.begun.map(({ notice }) => Number(notice.text))).toEqual(Array.from({ length: 18 }, (_, i) => i));
  });

  it('are given up after their time, also those that wait, which are never begun then', async () => {
    const begun: ((answer: string) => void)[] = [];
    const notices = withMail({ most: 1, goesOn: true, hand: () => new Promise((resolve) => void begun.push(resolve)) });
    const [first, second] = [notices.tell({ ...NOTICE, within: Millis(50) }), notices.tell({ ...NOTICE, within: Millis(50) })];
    expect([await first, await second]).toEqual(Array.from({ length: 2 }, () => ({ outcome: 'failed', detail: 'not done within 50 ms' })));
    begun[0]?.('taken, and too late');
    const third = notices.tell(NOTICE);
    await expect.poll(() => begun.length, { timeout: 20_000 }).toBe(2);
    begun[1]?.('taken');
    expect(await third).toEqual({ outcome: 'handed_over', detail: 'taken' });
  });

  it('of one way do not wait for another one', async () => {
    const held = new Held();
    const notices = withMail({ most: 1, hand: held.hand });
    const mail = notices.tell(NOTICE);
    expect(await notices.tell({ ...NOTICE, by: 'sms' })).toEqual({ outcome: 'handed_over', detail: 'fine' });
    held.begun[0]?.end('taken');
    await mail;
  });

  it('are no more than may be in an hour', async () => {
    let now = Millis(0);
    const notices = withMail({ most: 1, perHour: 2, hand: () => Promise.resolve('taken') }, () => now);
    const outcomes = async (count: number): Promise<string[]> => {
      const told: string[] = [];
      for (let i = 0; i < count; i++) told.push((await notices.tell(NOTICE)).outcome);
      return told;
    };
    expect(await outcomes(3)).toEqual(['handed_over', 'handed_over', 'failed']);
    expect((await notices.tell(NOTICE)).detail).toBe('2 went this way within an hour, and no more may (notices.email.perHour in the configuration)');
    now = Minutes(31);
    expect(await outcomes(2)).toEqual(['handed_over', 'failed']);
    now = Minutes(500);
    expect(await outcomes(3)).toEqual(['handed_over', 'handed_over', 'failed']);
  });

  it('end when the gateway does', async () => {
    const held = new Held();
    const notices = withMail({ most: 1, hand: held.hand });
    const told = [notices.tell(NOTICE), notices.tell(NOTICE)];
    await notices.stop();
    expect(await Promise.all(told)).toEqual(Array.from({ length: 2 }, () => ({ outcome: 'failed', detail: 'the gateway is stopping' })));
  });
});

describe('what others said', () => {
  it('is one short line, without what nobody needs to see', () => {
    expect(inOneLine('a\r\n\tb\u0000c')).toBe('a b c');
    expect(inOneLine('')).toBe('nothing was said');
    expect(inOneLine('x'.repeat(1000))).toHaveLength(300);
    expect(without('Dora+a@example.org', '550 <dora+A@EXAMPLE.org> (Dora+a@example.org)')).toBe('550 <…> (…)');
  });
});
