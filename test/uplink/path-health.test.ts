import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import { PathHealth, rankOf, STEADY_AFTER } from '../../gateway/uplink/path-health.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const at = (seconds: number): Millis => Millis(Math.round(seconds * 1000));
const RTT = Millis(20);

/** A path that has answered from the beginning. */
function up(): PathHealth {
  const health = new PathHealth(at(0));
  health.appeared('there', at(0));
  health.answered(RTT, at(0));
  return health;
}

describe('how well a hospital is reached over a link', () => {
  it('is up with the first answer, and preferred at once', () => {
    const health = up();
    expect([health.state, health.rtt, health.isSteady(at(0))]).toEqual(['up', RTT, true]);
  });

  it('is down after three failures in a row, and not after two with an answer between', () => {
    const health = up();
    health.failed('no answer', false, at(1));
    health.failed('no answer', false, at(2));
    health.answered(RTT, at(3));
    health.failed('no answer', false, at(4));
    health.failed('no answer', false, at(5));
    expect(health.state).not.toBe('down');
    health.failed('no answer within 2 s', false, at(6));
    expect([health.state, health.why, health.since]).toEqual(['down', 'no answer within 2 s', at(6)]);
  });

  it('is down at once when the machine itself says that there is no way', () => {
    const health = up();
    health.failed('ENETUNREACH', true, at(1));
    expect(health.state).toBe('down');
  });

  it('comes back by three answers, and is preferred again only after two steady minutes', () => {
    const health = up();
    health.failed('cable', true, at(1));
    health.answered(RTT, at(2));
    expect(health.state).toBe('probing');
    health.answered(RTT, at(3));
    health.answered(RTT, at(4));
    expect([health.state, health.isSteady(at(4))]).toEqual(['up', false]);
    expect(health.isSteady(at(4 + STEADY_AFTER / 1000 - 1))).toBe(false);
    expect(health.isSteady(at(4 + STEADY_AFTER / 1000))).toBe(true);
  });

  it('begins its two minutes anew with every failure that takes it down', () => {
    const health = up();
    for (let second = 1; second < 600; second += 60) {
      health.failed('flapping', true, at(second));
      for (let answer = 1; answer <= 3; answer++) health.answered(RTT, at(second + answer));
      expect([health.state, health.isSteady(at(second + 50))]).toEqual(['up', false]);
    }
  });

  it('is judged anew when it comes back: what was lost and slow before it went away does not count', () => {
    const health = up();
    for (let second = 1; second <= 20; second++) health.failed('no answer', false, at(second));
    expect(health.loss).toBeGreaterThan(0.9);
    for (let second = 21; second <= 23; second++) health.answered(RTT, at(second));
    expect([health.state, health.loss, health.rtt]).toEqual(['up', 0, RTT]);
  });

  it('is degraded above one second or a fifth lost, and up again below half a second and a tenth', () => {
    const slow = up();
    while (slow.state === 'up') slow.answered(Seconds(3), at(1));
    expect([slow.state, slow.why]).toEqual(['degraded', expect.stringMatching(/^a round trip takes 1\.\d s$/)]);
    while (slow.state === 'degraded') slow.answered(Millis(10), at(2));
    expect(slow.rtt).toBeLessThanOrEqual(500);

    const lossy = up();
    for (let pair = 0; pair < 20 && lossy.state === 'up'; pair++) {
      lossy.failed('no answer', false, at(1));
      lossy.answered(RTT, at(1));
    }
    expect([lossy.state, lossy.why]).toEqual(['degraded', expect.stringMatching(/^\d+ % of what was asked was not answered$/)]);
    while (lossy.state === 'degraded') lossy.answered(RTT, at(2));
    expect(lossy.loss).toBeLessThanOrEqual(0.1);
  });

  it('is absent without an interface, whatever answers arrive late, and probed anew when it is there', () => {
    const health = up();
    health.vanished('eth0 has no carrier', at(1));
    health.answered(RTT, at(1));
    health.failed('late', true, at(1));
    expect([health.state, health.why]).toEqual(['absent', 'eth0 has no carrier']);
    health.appeared('eth0 has an address', at(2));
    expect(health.state).toBe('probing');
    health.answered(RTT, at(3));
    expect(health.state).toBe('probing');
  });

  it('whatever happens: down only by failures, preferred only while up, and loss between nothing and all', () => {
    const happening = fc.oneof(
      fc.record({ kind: fc.constant('answered' as const), rtt: fc.option(fc.integer({ min: 0, max: 8000 }), { nil: undefined }) }),
      fc.record({ kind: fc.constant('failed' as const), hard: fc.boolean() }),
      fc.record({ kind: fc.constantFrom('vanished' as const, 'appeared' as const) }),
    );
    fc.assert(fc.property(fc.array(happening, { maxLength: 60 }), (story) => {
      const health = new PathHealth(at(0));
      let inARow = 0;
      let wasHard = false;
      for (const [second, event] of story.entries()) {
        const now = at(second);
        const before = health.state;
        if (event.kind === 'answered') health.answered(event.rtt === undefined ? undefined : Millis(event.rtt), now);
        else if (event.kind === 'failed') health.failed('no', event.hard, now);
        else health[event.kind](event.kind, now);
        if (event.kind === 'failed' && before !== 'absent') inARow += 1;
        else if (event.kind !== 'appeared') inARow = 0;
        wasHard = event.kind === 'failed' && event.hard;
        if (health.state === 'down' && before !== 'down') expect(wasHard || inARow >= 3).toBe(true);
        if (health.isSteady(now)) expect(health.state).toBe('up');
        expect(health.loss).toBeGreaterThanOrEqual(0);
        expect(health.loss).toBeLessThanOrEqual(1);
        expect(rankOf(health, now)).toBeGreaterThanOrEqual(0);
        if (health.state !== before) expect(health.since).toBe(now);
      }
    }), { numRuns: fuzzRuns(500) });
  });
});
