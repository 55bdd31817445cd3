/** What people at a hospital did with somebody's data comes back into the chain of those it is about. */

import { signNotesAsked, verifyHospitalNote, type HospitalNote } from './consent/hospital-note.ts';
import { encodeOperatorAction, type OperatorAction } from './decode/operator.ts';
import { messageOf, PeerError } from './errors.ts';
import { toHex } from './ledger/bytes.ts';
import { CborError } from './ledger/cbor.ts';
import { fingerprint, type SigningKey } from './ledger/es256k.ts';
import type { Pipeline } from './pipeline.ts';
import { subjectNamed, type Subject } from './reading.ts';
import type { NoteTaker } from './uplink/release-relay.ts';
import type { Keyring } from './vault/keyring.ts';
import { pseudonymOf } from './vault/pseudonym.ts';

export type HospitalNotesOptions = Readonly<{
  hospital: Readonly<{ name: string; key: Uint8Array }>;
  chain: Uint8Array;
  keyring: Keyring;
  pipeline: Pick<Pipeline, 'carryOut'> & Readonly<{ derived: Pick<Pipeline['derived'], 'consent'> }>;
  /** In force now. */
  signingKey: () => SigningKey;
  /** Whether this one is being erased: a note about them is about nobody. */
  isErasing: (subject: Subject) => boolean;
}>;

/**
 * A note is a frame of the journal, and derivation takes each number once and remembers the last: so a crash at any point neither loses nor doubles one,
 * and there is no other cursor.
 */
export class HospitalNotes implements NoteTaker {
  readonly #options: HospitalNotesOptions;
  readonly #key: string;

  constructor(options: HospitalNotesOptions) {
    this.#options = options;
    this.#key = fingerprint(options.hospital.key);
  }

  get last(): number {
    return this.#options.pipeline.derived.consent.heard?.[this.#key] ?? 0;
  }

  ask(): Uint8Array {
    const { chain, hospital, signingKey } = this.#options;
    return signNotesAsked({ chain, recipient: hospital.key, after: this.last }, signingKey());
  }

  async take(notes: readonly Uint8Array[]): Promise<void> {
    const { hospital, isErasing } = this.#options;
    let last = this.last;
    const actions: OperatorAction[] = [];
    for (const signed of notes) {
      const note = this.#verified(signed);
      if (note.number <= last) continue;
      last = note.number;
      const found = this.#subjectOf(note.pseudonym);
      // Nobody breaks the glass of a room: then it is about nobody.
      const isOfNobody = found === undefined || isErasing(found) || (note.what !== 'shown' && found.kind !== 'patient');
      const subject = isOfNobody ? undefined : found;
      actions.push({ type: 'hospital_note', hospital: hospital.name, key: this.#key, number: note.number, ...(subject === undefined ? {} : { subject, note: signed }) });
    }
    if (actions.length > 0) await this.#options.pipeline.carryOut(actions.map(encodeOperatorAction));
  }

  #verified(signed: Uint8Array): HospitalNote {
    const { hospital, chain } = this.#options;
    const note = readingNote(() => verifyHospitalNote(signed, hospital.key));
    if (note === undefined) throw new PeerError('VG_PEER_MALFORMED', 'a note is not signed by the key of the hospital');
    if (note.chain !== toHex(chain)) throw new PeerError('VG_PEER_MALFORMED', `a note is about chain ${note.chain}, expected ${toHex(chain)}`);
    return note;
  }

  /** Undefined for somebody who was erased since. */
  #subjectOf(pseudonym: string): Subject | undefined {
    const { keyring, hospital } = this.#options;
    const owners = new Set(keyring.all().map(({ owner }) => owner).filter((owner) => /^(?:patient|room)\//.test(owner)));
    // Mostly the epoch of now; and the one before the first is known by its pseudonym, too.
    for (let epoch = keyring.epoch; epoch >= 0; epoch--) {
      for (const owner of owners) if (pseudonymOf(keyring, hospital.key, epoch, owner).toString('hex') === pseudonym) return subjectNamed(owner);
    }
    return undefined;
  }
}

function readingNote<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new PeerError('VG_PEER_MALFORMED', `a note cannot be read: ${messageOf(cause)}`, { cause });
    throw cause;
  }
}
