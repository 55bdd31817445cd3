/** What each hospital is told of the consents of those whose data it may have, so that it can ask them itself. */

import { consentsOf } from './consent/consents.ts';
import type { BaseRule } from './consent/decide.ts';
import { encodeTold, MOST_NAMES, toldOf, type Told } from './consent/told.ts';
import type { ConsentState } from './derive/consent-state.ts';
import { sha256 } from './ledger/bytes.ts';
import { fingerprint, fingerprintBytes } from './ledger/es256k.ts';
import { MOST_RELEASED, type ReleasedConsents, type ReleasedKey } from './ledger/release.ts';
import { UnixMillis, type Bytes } from './quantity.ts';
import { nameOf, subjectNamed, type Subject } from './reading.ts';
import type { ReleaseCursors } from './uplink/release-cursors.ts';
import type { ConsentNews, ReleaseSource } from './uplink/release-relay.ts';
import type { Keyring, VaultKey } from './vault/keyring.ts';
import { pseudonymOf } from './vault/pseudonym.ts';
import { contentSecret, releaseKeyId, sealConsents, sealContentKey } from './vault/release.ts';

export type ConsentTellingOptions = Readonly<{
  hospital: Readonly<{ key: Uint8Array }>;
  chain: Uint8Array;
  keyring: Keyring;
  cursors: Pick<ReleaseCursors, 'told' | 'forgetTold'>;
  /** What is permitted now, and who lives where: other objects when anything of it changed. */
  state: () => Pick<ConsentState, 'consents' | 'releases'>;
  homes: () => readonly Readonly<{ id: string; rooms: readonly Readonly<{ room: string }>[] }>[];
  /** What the deployment permits where a patient said nothing: of this hospital and others. */
  base: readonly BaseRule[];
  /** Whether this one is being erased: derivation may have forgotten what they denied, and nothing more is said of them. */
  isErasing: (subject: Subject) => boolean;
  now: () => UnixMillis;
  random: (size: number) => Uint8Array;
}>;

/** Something a hospital does not know yet: the subject's key it is told under, and what stands for it. */
type Due = Readonly<{ key: VaultKey; id: Uint8Array; mark: Uint8Array }>;

/** The same digest for the same word, whenever it is said. */
const AT_NO_TIME = UnixMillis(0);

/**
 * Compares what holds now with what the hospital was told last, subject by subject: so that nothing is missed, whatever happened in between. A subject
 * without a key has nothing at the hospital, and is told of with its first. One the hospital may have nothing of is told of only if it was before.
 */
export class ConsentTelling implements Pick<ReleaseSource, 'hasConsentNews' | 'consentNews' | 'tellAllAgain'> {
  readonly #options: ConsentTellingOptions;
  readonly #hospital: string;
  readonly #base: readonly BaseRule[];
  #known: readonly unknown[] = [];
  /** By name of a subject: its newest key, and those before. */
  #keys = new Map<string, readonly VaultKey[]>();

  constructor(options: ConsentTellingOptions) {
    this.#options = options;
    this.#hospital = fingerprint(options.hospital.key);
    // What holds for people at the gateway holds for nobody elsewhere.
    this.#base = options.base.filter(({ to }) => to.hospital === this.#hospital);
  }

  async hasConsentNews(): Promise<boolean> {
    const now = this.#signature();
    if (now.every((each, index) => each === this.#known[index])) return false;
    if (await this.#isAnythingDue()) return true;
    this.#known = now;
    return false;
  }

  /** All that what is told is made of. */
  #signature(): readonly unknown[] {
    const { consents, releases } = this.#options.state();
    const keys = this.#options.keyring.all();
    return [consents, releases, this.#options.homes(), keys.length, keys.at(-1)?.id];
  }

  async #isAnythingDue(): Promise<boolean> {
    for await (const _ of this.#due()) return true;
    return false;
  }

  async *#due(): AsyncGenerator<Due> {
    const { hospital, cursors } = this.#options;
    this.#keys = keysOfSubjects(this.#options.keyring);
    const recipient = fingerprintBytes(hospital.key);
    for (const [name, keys] of this.#keys) {
      const [key] = keys;
      if (key === undefined || this.#options.isErasing(subjectNamed(name))) continue;
      const id = releaseKeyId(key, hospital.key);
      const told = this.#toldOf(subjectNamed(name), AT_NO_TIME);
      const mark = sha256(encodeTold(told));
      const last = await cursors.told(recipient, id);
      if (last !== undefined && Buffer.compare(last, mark) === 0) continue;
      if (last !== undefined || this.#mayHaveAny(told) || (await this.#wasTold(keys, recipient))) yield { key, id, mark };
    }
  }

  async #wasTold(keys: readonly VaultKey[], recipient: Uint8Array): Promise<boolean> {
    const { hospital, cursors } = this.#options;
    for (const key of keys) if ((await cursors.told(recipient, releaseKeyId(key, hospital.key))) !== undefined) return true;
    return false;
  }

  /** Whether payloads may go to the hospital: whatever else is said is nothing to it then. */
  #mayHaveAny(told: Told): boolean {
    if (this.#base.length > 0) return true;
    return told.kind === 'room' ? told.residents.length > 0 : told.grants.some(({ grant: { permit, to } }) => permit && to.role === undefined && to.person === undefined);
  }

  #toldOf(subject: Subject, at: UnixMillis): Told {
    const common = { at, names: this.#namesOf(nameOf(subject)), base: this.#base };
    if (subject.kind === 'patient') {
      const { consents, releases } = this.#options.state();
      return toldOf(consentsOf(consents, subject.id), releases.filter(({ request }) => request.patient === subject.id), { ...common, hospital: this.#hospital });
    }
    const residents = this.#options.homes().filter(({ rooms }) => rooms.some(({ room }) => room === subject.id)).map(({ id }) => id);
    const heard = residents.filter((id) => this.#isHeardOf(id));
    return { kind: 'room', ...common, residents: heard.map((id) => this.#nameOf(`patient/${id}`)), others: heard.length < residents.length || residents.length === 0 };
  }

  /** Whether a hospital is to ask what somebody permits: whoever said nothing and of whom nothing is known goes by the base. */
  #isHeardOf(patient: string): boolean {
    return this.#keys.has(`patient/${patient}`) || consentsOf(this.#options.state().consents, patient).grants.length > 0;
  }

  /** Of whom no key is there, the hospital knows nobody of that name, and shows nothing: until a key is. */
  #nameOf(owner: string): string {
    const { keyring, hospital } = this.#options;
    return pseudonymOf(keyring, hospital.key, this.#keys.get(owner)?.[0]?.epoch ?? keyring.epoch, owner).toString('hex');
  }

  #namesOf(owner: string): readonly string[] {
    const { keyring, hospital } = this.#options;
    return epochsOf(this.#keys.get(owner) ?? []).slice(0, MOST_NAMES).map((epoch) => pseudonymOf(keyring, hospital.key, epoch, owner).toString('hex'));
  }

  async tellAllAgain(): Promise<void> {
    const { cursors, hospital } = this.#options;
    this.#known = [];
    await cursors.forgetTold(fingerprintBytes(hospital.key));
  }

  async consentNews(size: Bytes, hpke: Uint8Array): Promise<ConsentNews | undefined> {
    const { keyring, hospital, chain, random, now } = this.#options;
    const keys: ReleasedKey[] = [];
    const consents: ReleasedConsents[] = [];
    const told: { id: Uint8Array; mark: Uint8Array }[] = [];
    let bytes = 0;
    for await (const { key, id, mark } of this.#due()) {
      if (this.#options.isErasing(subjectNamed(key.owner))) continue;
      const sealed = sealConsents(contentSecret(key, hospital.key), encodeTold(this.#toldOf(subjectNamed(key.owner), now())), chain, random);
      keys.push(await sealContentKey(keyring, key, { key: hospital.key, hpke }, chain));
      consents.push({ key: id, sealed });
      told.push({ id, mark });
      bytes += sealed.length;
      if (bytes >= size || consents.length >= MOST_RELEASED) break;
    }
    return consents.length === 0 ? undefined : { parts: { keys, payloads: [], consents }, told };
  }
}

/** The epochs whose pseudonyms a hospital may know somebody by, the newest first: each content key tells that of the epoch before, too. */
const epochsOf = (keys: readonly VaultKey[]): readonly number[] => [...new Set(keys.flatMap(({ epoch }) => [epoch, epoch - 1]))];

/** By name of a patient or a room: its keys, the newest first. */
function keysOfSubjects(keyring: Keyring): Map<string, readonly VaultKey[]> {
  const keys = new Map<string, VaultKey[]>();
  for (const key of keyring.all()) if (/^(?:patient|room)\//.test(key.owner)) keys.set(key.owner, [key, ...(keys.get(key.owner) ?? [])]);
  for (const each of keys.values()) each.sort((a, b) => b.epoch - a.epoch);
  return keys;
}
