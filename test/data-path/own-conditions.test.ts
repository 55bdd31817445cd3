import { describe, expect, it } from 'vitest';
import type { Alarm, AlarmState, Phase } from '../../gateway/alarm/alarm.ts';
import { NO_ALARMS } from '../../gateway/alarm/alarm.ts';
import { decodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import { StoreError } from '../../gateway/errors.ts';
import { OwnConditions } from '../../gateway/own-conditions.ts';
import { Millis, Minutes } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';
import { LogBook } from '../upstream/hospital.ts';

/** A gateway that derives what it is told at once, looked at whenever the test says. */
class Scene implements AsyncDisposable {
  reached: boolean | undefined = true;
  waiting = 0;
  minute = 0;
  fault: StoreError | undefined;
  flows: 'well' | 'stopped' | 'safe_mode' | undefined;
  failing = false;
  readonly said: string[] = [];
  readonly log = new LogBook();
  readonly #phases = new Map<string, Phase>();
  readonly conditions: OwnConditions;

  constructor(raised: Readonly<Record<string, Phase>> = {}) {
    for (const [rule, phase] of Object.entries(raised)) this.#phases.set(rule, phase);
    this.conditions = new OwnConditions({
      pipeline: this.#pipeline(), isReached: () => this.reached, waiting: () => Promise.resolve(this.waiting), flows: () => this.flows, now: () => Minutes(this.minute), log: this.log, lookEvery: Millis(1_000_000),
    });
  }

  #pipeline(): ConstructorParameters<typeof OwnConditions>[0]['pipeline'] {
    const alarms = (): AlarmState => ({ ...NO_ALARMS, alarms: [...this.#phases].map(([rule, phase]) => ({ rule, phase, subject: null }) as Alarm) });
    const fault = (): StoreError | undefined => this.fault;
    return {
      get fault() {
        return fault();
      },
      derived: {
        get alarms() {
          return alarms();
        },
      },
      decide: (payload) => {
        if (this.failing) return Promise.reject(new Error('the store takes nothing'));
        const { condition, holds } = decodeOperatorAction(payload) as Extract<OperatorAction, { type: 'condition' }>;
        this.said.push(`${this.minute} ${condition} ${holds}`);
        this.#phases.set(condition, holds ? 'active' : 'cleared');
        return Promise.resolve(Sequence(1));
      },
    };
  }

  async at(minute: number): Promise<readonly string[]> {
    this.minute = minute;
    await this.conditions.look();
    return this.said.splice(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.conditions.stop();
  }
}

describe('flows that do not run', () => {
  it('are told of at once and for as long as it lasts, safe mode apart; and never where there are none', async () => {
    await using scene = new Scene();
    expect(await scene.at(0)).toEqual([]);
    scene.flows = 'stopped';
    expect(await scene.at(1)).toEqual(['1 flows_stopped true']);
    scene.flows = 'safe_mode';
    expect(await scene.at(2)).toEqual(['2 flows_stopped false', '2 flows_safe_mode true']);
    scene.flows = 'well';
    expect(await scene.at(3)).toEqual(['3 flows_safe_mode false']);
  });
});

describe('people are told', () => {
  it('when alarms have waited two minutes for a hospital, once, and when they are through', async () => {
    await using scene = new Scene();
    scene.waiting = 1;
    expect([await scene.at(0), await scene.at(1.9), await scene.at(2), await scene.at(3)]).toEqual([[], [], ['2 unreached true'], []]);
    scene.waiting = 0;
    expect([await scene.at(4), await scene.at(5)]).toEqual([['4 unreached false'], []]);
  });

  it('when no hospital was reached for a quarter of an hour though no alarm waits, and not for a router that starts again', async () => {
    await using scene = new Scene();
    scene.reached = false;
    await scene.at(0);
    expect(await scene.at(14)).toEqual([]);
    scene.reached = true;
    expect(await scene.at(14.5)).toEqual([]);
    scene.reached = false;
    expect([await scene.at(16), await scene.at(30), await scene.at(31)]).toEqual([[], [], ['31 unreached true']]);
  });

  it('never that no hospital is reached where there is none', async () => {
    await using scene = new Scene();
    [scene.reached, scene.waiting] = [undefined, 7];
    expect([await scene.at(0), await scene.at(100)]).toEqual([[], []]);
  });

  it('when the disk is full, at once, for as long as it is; not for another fault of the store, when nothing can be said', async () => {
    await using scene = new Scene();
    scene.fault = new StoreError('VG_STORE_WRITE', 'input/output error');
    expect(await scene.at(0)).toEqual([]);
    scene.fault = new StoreError('VG_STORE_FULL', 'the disk is full');
    expect([await scene.at(1), await scene.at(2)]).toEqual([['1 no_room true'], []]);
    scene.fault = undefined;
    expect(await scene.at(3)).toEqual(['3 no_room false']);
  });

  it('that it is over, too, when that happened while the gateway did not run; of what nobody has answered yet nothing is said again', async () => {
    await using scene = new Scene({ no_room: 'acknowledged', unreached: 'latched' });
    expect(await scene.at(0)).toEqual(['0 no_room false']);
  });

  it('with the next look when it could not be said', async () => {
    await using scene = new Scene();
    scene.fault = new StoreError('VG_STORE_FULL', 'the disk is full');
    scene.failing = true;
    expect(await scene.at(0)).toEqual([]);
    expect(scene.log.messages('warn')).toHaveLength(1);
    scene.failing = false;
    expect(await scene.at(1)).toEqual(['1 no_room true']);
  });
});
