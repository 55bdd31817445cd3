/** Consent at a hospital, put together: what patients permit, what may leave, who breaks the glass, and what goes back to gateways of all that. */

import { signHospitalNote, type HospitalNote } from './consent/hospital-note.ts';
import type { BlockStore } from './ledger/block-store.ts';
import { toHex } from './ledger/bytes.ts';
import { fingerprint, type SigningKey } from './ledger/es256k.ts';
import type { UnixMillis } from './quantity.ts';
import { LANES } from './reading.ts';
import { ConsentGate } from './records/consent-gate.ts';
import { HospitalDisclosures } from './records/disclosures.ts';
import type { EpisodeStore } from './records/episode-store.ts';
import { HospitalGlass } from './records/hospital-glass.ts';
import type { Note, NoteLog, Numbered } from './records/note.ts';
import type { OutputGate } from './records/output-gate.ts';
import { ToldConsents } from './records/told-consents.ts';
import type { ToldStore } from './records/told-store.ts';
import type { ConsentDoor } from './upstream/release-routes.ts';
import type { HpkePair } from './vault/hpke.ts';

export type HospitalConsentOptions = Readonly<{
  told: ToldStore;
  notes: NoteLog & EpisodeStore;
  blocks: Pick<BlockStore, 'head'>;
  /** This hospital's. */
  key: SigningKey;
  pair: HpkePair;
  now: () => UnixMillis;
  /** Counting what was shown again failed. */
  onFault: (error: unknown) => void;
}>;

export type HospitalConsent = Readonly<{
  /** What of records may leave, to whom and what for. */
  gate: OutputGate;
  /** What patients permit, as their gateways say. */
  consents: Pick<ToldConsents, 'of'>;
  /** What was shown to whom: for reports and AuditEvents. */
  disclosures: Pick<HospitalDisclosures, 'of'>;
  glass: HospitalGlass;
  door: ConsentDoor;
  stop: () => Promise<void>;
}>;

/** Notes that a gateway gets together. */
const MOST_NOTES = 100;

export function openHospitalConsent({ told, notes, blocks, key, pair, now, onFault }: HospitalConsentOptions): HospitalConsent {
  const gatewayOf = async (chain: Uint8Array): Promise<Uint8Array | undefined> => (await Promise.all(LANES.map((lane) => blocks.head({ chain, lane })))).find((head) => head !== undefined)?.authority.gateway;
  const consents = new ToldConsents({ store: told, pair, recipient: key.publicKey, gatewayOf });
  const disclosures = new HospitalDisclosures({ log: notes, now, onFault });
  return {
    gate: new ConsentGate({ hospital: fingerprint(key.publicKey), told: consents, episodes: notes, disclosures, now }),
    consents, disclosures,
    glass: new HospitalGlass({ episodes: notes, told: consents, now }),
    door: {
      take: (release) => consents.take(release, (names) => notes.forget(names)),
      knows: (chain) => told.knows(chain),
      newestNote: (chain) => notes.newest(toHex(chain)),
      notesAfter: async (chain, number) => (await notes.after(toHex(chain), number, MOST_NOTES)).map((note) => signHospitalNote(spoken(note), key)),
    },
    stop: () => disclosures.stop(),
  };
}

/** As gateways are told: by the name they can find somebody by. */
function spoken(note: Numbered<Note>): HospitalNote {
  const { chain, number, time, pseudonym } = note;
  const common = { chain, number, time, pseudonym };
  if (note.what !== 'shown') {
    const { what, episode, ends, verdict, by } = note;
    return { ...common, what, by: actor(by), episode, reason: canonical(note.reason), ends, ...(verdict === undefined ? {} : { verdict }) };
  }
  const { recipient, by: how, purpose, times, consents, episode, reason } = note;
  return { ...common, what: 'shown', by: actor(recipient), how, purpose, times, consents, ...(episode === undefined ? {} : { episode }), ...(reason === undefined ? {} : { reason: canonical(reason) }) };
}

const actor = ({ id, role }: Readonly<{ id: string; role?: string }>): HospitalNote['by'] => ({ id: canonical(id), ...(role === undefined ? {} : { role: canonical(role) }) });

/** Text as the ledger encodes it: well-formed, Unicode normalisation form C, no byte order mark in front. */
const canonical = (text: string): string => text.toWellFormed().replace(/^\uFEFF+/, '').normalize('NFC');
