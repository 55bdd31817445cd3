import { BUILT_IN_PROFILES, FAMILIES } from './families.ts';
import type { Family } from './family.ts';
import { relativeTopic, type Profile } from './profile.ts';

/** How one topic is read. */
export type Reader = Readonly<{ family: Family; profile: Profile; relative: string }>;

/** Topics come from devices: those beyond this many are looked up anew each time. */
const MOST_TOPICS_KEPT = 4096;

/** The profiles in force, the configured ones before the built-in. The first whose topic filter matches reads a topic. */
export class ProfileTable {
  readonly #profiles: readonly Profile[];
  readonly #readers = new Map<string, Reader | undefined>();

  constructor(configured: readonly Profile[]) {
    this.#profiles = [...configured, ...BUILT_IN_PROFILES];
  }

  readerFor(topic: string): Reader | undefined {
    const kept = this.#readers.get(topic);
    if (kept !== undefined || this.#readers.has(topic)) return kept;
    const reader = this.#find(topic);
    if (this.#readers.size < MOST_TOPICS_KEPT) this.#readers.set(topic, reader);
    return reader;
  }

  #find(topic: string): Reader | undefined {
    for (const profile of this.#profiles) {
      const relative = relativeTopic(profile.topic, topic);
      const family = FAMILIES.get(profile.decoder);
      if (relative !== undefined && family !== undefined) return { family, profile, relative };
    }
    return undefined;
  }
}
