/**
 * Forgets a person or a room for good: derivation forgets them and says in the chain which keys are destroyed, raw frames are taken out
 * of the journal, everything that is remembered is written anew under another key, and the keys themselves are destroyed. The chain
 * keeps all of its blocks and verifies as before; what lay beside it is erased.
 */

import { encodeOperatorAction, type Actor } from './decode/operator.ts';
import type { DeriveStore } from './derive/derive-store.ts';
import { UsageError } from './errors.ts';
import type { ErasableJournal } from './ingest/journal.ts';
import type { Logger } from './operations/log.ts';
import type { Pipeline } from './pipeline.ts';
import { Bytes } from './quantity.ts';
import { nameOf, Sequence, type DeviceId, type Subject } from './reading.ts';
import type { Keyring, VaultKey } from './vault/keyring.ts';

/** `through`: only what was said in epochs up to this one; absent: everything, and nothing is remembered. */
export type ErasureOrder = Readonly<{ subject: Subject; through?: number; by: Actor }>;

/** With the devices that measured the subject, and the connections behind which they are: derivation forgets that, too. */
export type PendingErasure = ErasureOrder & Readonly<{ devices: readonly DeviceId[] }>;

export type Erased = Readonly<{
  /** How many were destroyed. */
  keys: number;
  frames: number;
}>;

/** Remembers what is being erased, so that a crash in between is made good. */
export interface ErasureStore {
  /** MUST NOT resolve before it is durable. */
  begin(pending: PendingErasure): Promise<void>;
  underWay(): Promise<PendingErasure | undefined>;
  end(): Promise<void>;
  /** Writes everything that is remembered again under a new key. Resolves with the ids of the keys that nothing lies under any more. */
  reseal(): Promise<readonly string[]>;
}

export type ErasureOptions = Readonly<{
  pipeline: Pick<Pipeline, 'carryOut' | 'derived'>;
  journal: ErasableJournal;
  keyring: Keyring;
  deriveStore: Pick<DeriveStore, 'quarantine' | 'forgetQuarantined'>;
  erasures: ErasureStore;
  /** Others have what lies under keys that go now. MUST be durable when it resolves; what it resolves with is called when they are gone. */
  tellErased: (keys: readonly VaultKey[]) => Promise<() => Promise<void>>;
  log: Logger;
}>;

const PROGRESS_EVERY = 100_000;
const QUARANTINE_PAGE = 256;

export class Erasure {
  readonly #options: ErasureOptions;
  #last: Promise<unknown> = Promise.resolve();
  #underWay: Subject | undefined;

  constructor(options: ErasureOptions) {
    this.#options = options;
  }

  /** Finishes what a crash interrupted. */
  async resume(): Promise<void> {
    const pending = await this.#options.erasures.underWay();
    if (pending === undefined) return;
    this.#options.log.warn({}, 'an erasure was interrupted; it is done again from its beginning');
    await this.#erase(pending);
  }

  /** Resolves when nothing that was said of the subject can be read any more here. Throws {@link UsageError} for an order that cannot be carried out. */
  async run(order: ErasureOrder): Promise<Erased> {
    const { epoch } = this.#options.keyring;
    if (order.through !== undefined && order.through >= epoch) throw new UsageError(`epoch ${epoch} goes on; give one before it, or erase everything`);
    const erased = this.#last.then(() => this.#inTurn(order));
    this.#last = erased.catch(() => undefined);
    return await erased;
  }

  async #inTurn(order: ErasureOrder): Promise<Erased> {
    const pending = { ...order, devices: this.#devicesOf(order.subject) };
    await this.#options.erasures.begin(pending);
    return await this.#erase(pending);
  }

  /**
   * Whether this one is being erased, with all that is remembered. What is said of them meanwhile would make them a new key, and bring them back: MUST be asked in
   * the same turn in which it is handed to the journal.
   */
  isErasing(subject: Subject): boolean {
    return this.#underWay !== undefined && nameOf(this.#underWay) === nameOf(subject);
  }

  async #erase(pending: PendingErasure): Promise<Erased> {
    if (pending.through === undefined) this.#underWay = pending.subject;
    try {
      return await this.#carryOut(pending);
    } finally {
      this.#underWay = undefined;
    }
  }

  async #carryOut(pending: PendingErasure): Promise<Erased> {
    const { pipeline, journal, keyring, erasures, log, tellErased } = this.#options;
    const { devices, ...order } = pending;
    if (order.through === undefined) for (const device of devices) keyring.turn(`device/${device}`, []);
    await pipeline.carryOut([encodeOperatorAction({ type: 'erase', ...order })]);
    // A synced write behind what derivation committed: from here on the frames are needed no more.
    await erasures.begin(pending);
    const keys = this.#keysOf(pending);
    let told = 0;
    const frames = await journal.erase(keys, journal.next, (sequence) => {
      if (sequence - told < PROGRESS_EVERY) return;
      told = sequence;
      log.info({ frame: sequence, of: journal.next - 1 }, 'erasing raw frames');
    });
    await this.#forgetQuarantined();
    const replaced = await erasures.reseal();
    const tellAgain = await tellErased(keyring.all().filter(({ id }) => keys.has(id)));
    keyring.destroy(new Set([...keys, ...replaced]));
    await tellAgain();
    await erasures.end();
    log.info({ keys: keys.size, frames }, 'erased; the chain verifies as before');
    return { keys: keys.size, frames };
  }

  /** Devices that measured the subject, and the connections behind which they are. */
  #devicesOf(subject: Subject): readonly DeviceId[] {
    const { bindings, devices } = this.#options.pipeline.derived;
    const measured = [...bindings].filter(([, each]) => each.some((binding) => nameOf(binding.subject) === nameOf(subject))).map(([device]) => device);
    return [...new Set(measured.flatMap((device) => [device, devices.get(device)?.connection ?? device]))];
  }

  /** Those under which lies what tells of the subject. Behind a connection that several share, frames tell of all of them. */
  #keysOf({ subject, through = Infinity, devices }: PendingErasure): ReadonlySet<string> {
    const { keyring, pipeline: { derived } } = this.#options;
    const connections = devices.flatMap((device) => derived.devices.get(device)?.connection ?? []);
    const shared = new Set(connections.filter((connection) => devices.some((device) => device !== connection && derived.devices.get(device)?.connection === connection)).map((connection) => `device/${connection}`));
    const current = new Set(devices.map((device) => keyring.current(`device/${device}`).id));
    const about = keyring.all().filter(({ id, owner, epoch, about: subjects }) =>
      epoch <= through && (subjects.includes(nameOf(subject)) || (shared.has(owner) && !current.has(id))));
    return new Set(about.map(({ id }) => id));
  }

  async #forgetQuarantined(): Promise<void> {
    const { deriveStore, journal } = this.#options;
    for (let from = Sequence(1); ; ) {
      const page = await deriveStore.quarantine(from, QUARANTINE_PAGE);
      const gone: Sequence[] = [];
      for (const { sequence } of page) {
        if ((await journal.read(sequence, Bytes(1)))?.erased?.has(sequence) === true) gone.push(sequence);
      }
      if (gone.length > 0) await deriveStore.forgetQuarantined(gone);
      const last = page.at(-1);
      if (last === undefined || page.length < QUARANTINE_PAGE) return;
      from = Sequence(last.sequence + 1);
    }
  }
}
