import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Person } from './people/access.ts';
import { People } from './people/people.ts';
import type { TokenStore } from './people/tokens.ts';
import { Millis, Seconds, UnixMillis } from './quantity.ts';
import { Staff } from './web/staff.ts';
import type { TokenApi } from './web/control-tokens.ts';

/** Of every nurse of a large hospital a few, and the sessions begun with them; each takes some 400 bytes of memory. */
const MOST_TOKENS = 20_000;
/** How long a token that another process has revoked may be worth something here. */
const REREAD = Seconds(5);

export const STAFF_WORDS = { section: 'upstream.people', command: 'vitalgate upstream' } as const;

/** Where commands reach a hospital node that runs on this data folder. */
export const hospitalSocketIn = (data: string): string => join(data, 'control.sock');

/** The people of a hospital with their tokens. Throws StoreError. */
export async function openHospitalPeople(store: TokenStore, people: readonly Person[]): Promise<People> {
  return await People.open({
    store, people, most: MOST_TOKENS,
    random: (size) => randomBytes(size),
    now: () => UnixMillis(Date.now()),
    words: { section: STAFF_WORDS.section, command: `${STAFF_WORDS.command} tokens` },
  });
}

export const staffOf = (people: People): Staff => new Staff({ people, uptime: () => Millis(performance.now()) });

/** Heeds what other processes over the same store do to tokens. `failed` hears of a store that fails; what is known stays in force then. Returns what ends it. */
export function keepReading(people: People, failed: (error: unknown) => void): () => void {
  const timer = setInterval(() => void people.reread().catch(failed), REREAD);
  timer.unref();
  return () => clearInterval(timer);
}

export const tokenApiOf = (people: People): TokenApi => ({
  makeToken: (person, expiresAfter) => people.makeToken(person, expiresAfter),
  tokens: () => Promise.resolve(people.tokens()),
  revokeTokens: (nameOrId) => people.revoke(nameOrId),
});
