import type { AlarmFeed } from './alarm-feed.ts';
import type { StepView } from './alarm-views.ts';
import type { Checkpoint } from './derive/derive-store.ts';
import type { NewestReading } from './derive/deriver.ts';
import { deviceNow } from './device-views.ts';
import type { Positions, SequenceName } from './flows/consumers.ts';
import type { Current, FlowSource, Numbered } from './flows/desk.ts';
import type { MessageOf, Topic } from './flows/messages.ts';
import type { BlockStore } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { toHex } from './ledger/bytes.ts';
import type { Pipeline } from './pipeline.ts';
import type { UnixMillis } from './quantity.ts';
import { nameOf, type DeviceId, type Lane } from './reading.ts';

export type GatewayFlowSourceOptions = Readonly<{
  alarms: AlarmFeed;
  blocks: BlockStore;
  chain: Uint8Array;
  pipeline: Pick<Pipeline, 'onNewest' | 'derived'>;
  /** Up to where the quorum has countersigned a lane. */
  receipted: (lane: Lane) => number | undefined;
  now: () => UnixMillis;
}>;

/** What happens in the gateway, for flows: steps and blocks from where they are kept, the rest as it comes. */
export class GatewayFlowSource implements FlowSource {
  readonly #options: GatewayFlowSourceOptions;
  readonly #listeners = new Set<() => void>();
  readonly #onDevices = new Set<(current: readonly Current[]) => void>();
  /** What was told of each device last: only what is different is news. */
  readonly #toldOfDevices = new Map<DeviceId, string>();

  constructor(options: GatewayFlowSourceOptions) {
    this.#options = options;
    options.alarms.onSteps(() => this.wake());
  }

  /** A block was sealed, or a receipt came. */
  wake(): void {
    for (const listener of this.#listeners) listener();
  }

  /** What was derived may say something new of devices. */
  derived(checkpoints: readonly Checkpoint[]): void {
    if (this.#onDevices.size === 0) return;
    const devices = new Set(checkpoints.flatMap(({ devices: changed, bindings }) => [...changed.keys(), ...bindings.keys()]));
    const current = [...devices].flatMap((device) => this.#changed(device) ?? []);
    if (current.length > 0) for (const listener of this.#onDevices) listener(current);
  }

  #changed(device: DeviceId): Current | undefined {
    const current = this.#now(device);
    const { subject, battery, silent, notices } = current.device;
    const said = JSON.stringify([subject, battery, silent, notices]);
    if (this.#toldOfDevices.get(device) === said) return undefined;
    this.#toldOfDevices.set(device, said);
    return current;
  }

  #now(device: DeviceId): Extract<Current, { topic: 'device' }> {
    const { derived } = this.#options.pipeline;
    const { subject, lastSeen, battery, signal, silent, notices } = deviceNow(derived, device, this.#options.now());
    return { key: `device ${device}`, id: `device-${derived.cursor}-${device}`, subject, topic: 'device', device: { device, subject, lastSeen, battery, signal, silent, notices } };
  }

  async heads(): Promise<Positions> {
    const [sealedAlarm, sealedRecord] = [await this.#height('alarm'), await this.#height('record')];
    return {
      alarm: this.#options.alarms.lastStep,
      'sealed-alarm': sealedAlarm,
      'sealed-record': sealedRecord,
      'receipted-alarm': Math.min(this.#options.receipted('alarm') ?? 0, sealedAlarm),
      'receipted-record': Math.min(this.#options.receipted('record') ?? 0, sealedRecord),
    };
  }

  async #height(lane: Lane): Promise<number> {
    const { blocks, chain } = this.#options;
    return (await blocks.head({ chain, lane }))?.height ?? 0;
  }

  async after(sequence: SequenceName, position: number, limit: number): Promise<readonly Numbered[]> {
    if (sequence === 'alarm') return (await this.#options.alarms.after(position, limit)).map((step) => ({ position: step.step, subject: step.subject, topic: 'alarm', alarm: plainStep(step) }));
    const [event, lane] = sequence.split('-') as ['sealed' | 'receipted', Lane];
    const until = event === 'sealed' ? Infinity : (this.#options.receipted(lane) ?? 0);
    if (position >= until) return [];
    const found: Numbered[] = [];
    const { blocks, chain } = this.#options;
    for await (const bytes of blocks.blocks({ chain, lane }, position + 1)) {
      const { header, hash, entries } = openBlock(bytes);
      if (header.height > until || found.length >= limit) break;
      const block = { event, lane, height: header.height, hash: toHex(hash), entries: entries.length, time: new Date(header.time).toISOString() };
      found.push({ position: header.height, subject: null, topic: 'block', block });
      if (found.length >= limit) break;
    }
    return found;
  }

  onNumbered(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onCurrent(topics: readonly Topic[], listener: (current: readonly Current[]) => void): () => void {
    const leave: (() => void)[] = [];
    if (topics.includes('vital') || topics.includes('room')) leave.push(this.#options.pipeline.onNewest((newest) => this.#measured(newest, topics, listener)));
    if (topics.includes('device')) {
      this.#onDevices.add(listener);
      leave.push(() => this.#onDevices.delete(listener));
      // Whoever begins to follow hears of every device once.
      listener([...this.#options.pipeline.derived.devices.keys()].map((device) => this.#now(device)));
    }
    return () => {
      for (const each of leave) each();
    };
  }

  #measured(newest: readonly NewestReading[], topics: readonly Topic[], listener: (current: readonly Current[]) => void): void {
    const current = newest.flatMap((reading): Current | [] => {
      const { sequence, device, subject, measurement, value, unit, measuredAt, doubt = null, skipped } = reading;
      const topic = subject.kind === 'patient' ? 'vital' : 'room';
      if (!topics.includes(topic)) return [];
      const said: MessageOf<'vital'>['vital'] = { subject, measurement, value, unit, measuredAt: new Date(measuredAt).toISOString(), device: device === '' ? null : device, doubt, skipped };
      const common = { key: `${nameOf(subject)} ${measurement}`, id: `${topic}-${sequence}-${measurement}`, subject };
      return topic === 'vital' ? { ...common, topic, vital: said } : { ...common, topic, room: said };
    });
    if (current.length > 0) listener(current);
  }
}

/** Evidence in the contract is an object of any members. */
const plainStep = (step: StepView): MessageOf<'alarm'>['alarm'] => step;
