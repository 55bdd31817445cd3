import { describe, expect, it } from 'vitest';
import { AlarmId, type AlarmInput } from '../../gateway/alarm/condition.ts';
import type { Level } from '../../gateway/alarm/policy.ts';
import { Seconds } from '../../gateway/quantity.ts';
import { ack, ANN, lines, pause, play, quiet, raised, timer, withdrawn, type Scene } from './scenes.ts';

const CHAIN: readonly Level[] = [{ to: ['cho'], within: Seconds(30) }, { to: ['ben'], within: Seconds(5000) }];
const escalate = (levels = CHAIN, revision = 1): AlarmInput => ({ type: 'escalate', alarm: AlarmId(1), revision, levels, by: ANN });
const RAISED = '0 #1 none>active raised → 1/2 ann+ben';
const REROUTED = '5 #1 active>active rerouted by ann → 1/2 cho';

describe('another chain of people', () => {
  it.each<readonly [name: string, scene: Scene, steps: readonly string[]]>([
    ['is told at once, then one after the other, then the last again, never later than the re-alarm time', [[0, raised()], [5, escalate()], [35, timer], [635, timer]], [
      RAISED, REROUTED, '35 #1 active>active escalated → 2/2 ben', '635 #1 active>active told_again → 2/2 ben',
    ]],
    ['changes nothing when it is asked for again', [[0, raised()], [5, escalate()], [20, escalate()], [36, escalate()]], [RAISED, REROUTED, '35 #1 active>active escalated → 2/2 ben'].map((each) => each.replace('35 #1', '36 #1'))],
    ['may be replaced by one more', [[0, raised()], [5, escalate()], [6, escalate([{ to: ['everyone'], within: Seconds(60) }])]], [RAISED, REROUTED, '6 #1 active>active rerouted by ann → 1/1 ann+ben+cho']],
    ['begins again when the alarm does after it was acknowledged', [[0, raised()], [5, escalate()], [6, ack()], [606, timer]], [RAISED, REROUTED, '6 #1 active>acknowledged acknowledged by ann', '606 #1 acknowledged>active realarm → 1/2 cho']],
    ['ends a pause', [[0, raised()], [2, pause(60)], [5, escalate()]], [RAISED, '2 #1 active>active snoozed by ann', REROUTED]],
    ['waits with an alarm that waits', [[0, raised({ priority: 'low', rule: 'stale-air' })], [5, escalate()], [10, timer]], [
      '0 #1 none>pending raised (delay)', '5 #1 pending>pending rerouted by ann (delay)', '10 #1 pending>active delay_over → 1/2 cho',
    ]],
    ['waits for quiet hours, as what it is about does', [[0, quiet(true)], [0, raised()], [5, escalate()]], ['0 #1 none>active raised (quiet)', '5 #1 active>active rerouted by ann (quiet)']],
    ['is refused for an alarm that somebody has taken over', [[0, raised()], [1, ack()], [5, escalate()]], [RAISED, '1 #1 active>acknowledged acknowledged by ann', '5 #1 acknowledged>acknowledged refused by ann already_acknowledged']],
    ['is refused for what was seen before it became worse', [[0, raised()], [1, raised({ priority: 'high' })], [2, escalate()]], [
      RAISED, '1 #1 active>active priority_raised → 1/2 ann+ben', '2 #1 active>active refused by ann priority_raised',
    ]],
    ['is refused for what is over', [[0, raised()], [3, withdrawn()], [4, escalate()]], [RAISED, '3 #1 active>cleared withdrawn', '4 #1 cleared>cleared refused by ann already_cleared']],
  ])('%s', (_, scene, steps) => {
    expect(lines(scene)).toEqual(steps);
  });

  it('may come with the alarm itself', () => {
    const { steps } = play([[0, raised({ levels: CHAIN })], [30, timer]]);
    expect(steps.map(({ told }) => told?.to)).toEqual([['cho'], ['ben']]);
  });
});
