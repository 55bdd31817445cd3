/** What both kinds of messages begin with: who sends what to whom (MSH), whom it is about (PID), where that is (PV1). */

import { createHash } from 'node:crypto';
import type { UnixMillis } from '../quantity.ts';
import type { MappedIdentity } from '../records/identity.ts';
import type { HospitalRecord, KnownSubject } from '../records/record.ts';
import { instant } from './instant.ts';
import type { Components, Segment } from './text.ts';

/** Whose names our identifiers are under. */
export const AUTHORITY = 'VITALGATE';

/**
 * Which acknowledgements are asked for (HL7 v2.6, 2.9): `original` is one, without saying so; otherwise `application` (what IHE PCD asks
 * for), `commit` (that the engine has kept the message), or `both`.
 */
export type Acknowledgements = 'original' | 'application' | 'commit' | 'both';

/** How a destination is written to. */
export type Addressing = Readonly<{
  sendingApplication: string;
  sendingFacility: string;
  receivingApplication: string;
  receivingFacility: string;
  /** MSH-11: production or training. */
  processing: 'P' | 'T';
  acknowledgement: Acknowledgements;
  /** IANA name: times are written as clocks show them there, with the offset. */
  timeZone: string;
}>;

/** What a message is made with. */
export type Making = Readonly<{ addressing: Addressing; /** MSH-7. */ now: UnixMillis; /** What the hospital itself calls whoever it is about. */ identity?: MappedIdentity }>;

export type Profile = Readonly<{ type: Components; profile: Components }>;
/** IHE PCD TF-2 3.1, PCD-01: observations. */
export const OBSERVATIONS: Profile = { type: ['ORU', 'R01', 'ORU_R01'], profile: ['IHE_PCD_ORU_R01', 'IHE PCD', '1.3.6.1.4.1.19376.1.6.1.1.1', 'ISO'] };
/** The same, PCD-04: alarms. */
export const ALARMS: Profile = { type: ['ORU', 'R40', 'ORU_R40'], profile: ['IHE_PCD_ACM_001', 'IHE PCD', '1.3.6.1.4.1.19376.1.6.1.4.1', 'ISO'] };

const CONTROL_ID_LENGTH = 20;
const BASE_32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** MSH-10: the same whenever the message of a record is sent again, and another for any other record; 100 bits in 20 characters. */
export function controlIdOf({ chain, entry }: Pick<HospitalRecord, 'chain' | 'entry'>): string {
  const digest = createHash('sha256').update(`${chain} ${entry}`).digest();
  return [...digest.subarray(0, CONTROL_ID_LENGTH)].map((byte) => BASE_32[byte % BASE_32.length]).join('');
}

export function header({ type, profile }: Profile, controlId: string, { addressing, now }: Making): Segment {
  const { sendingApplication, sendingFacility, receivingApplication, receivingFacility, processing, acknowledgement, timeZone } = addressing;
  const [accept, application] = ASKED[acknowledgement];
  const none = undefined;
  return [
    'MSH', sendingApplication, sendingFacility, receivingApplication, receivingFacility, instant(now, timeZone), none, type, controlId, processing, '2.6', none, none,
    accept, application, none, 'UNICODE UTF-8', none, none, profile,
  ];
}

/** MSH-15 and MSH-16 (HL7 table 0155): always or never. */
const ASKED: Readonly<Record<Acknowledgements, readonly [accept: string | undefined, application: string | undefined]>> = {
  original: [undefined, undefined], application: ['NE', 'AL'], commit: ['AL', 'NE'], both: ['AL', 'AL'],
};

/** PID and PV1. Whom this hospital has no name of its own for has their pseudonym; a room is where a patient is who is not known. */
export function subjectSegments({ kind, person }: KnownSubject, identity: MappedIdentity | undefined): readonly Segment[] {
  const none = undefined;
  if (kind === 'room') return [['PID', '1', none, none, none, named(none, 'U')], ['PV1', '1', 'N', [none, identity?.value ?? person]]];
  const patient: Segment = identity === undefined
    ? ['PID', '1', none, [person, none, none, AUTHORITY, 'ANON'], none, named(none, 'S')]
    : ['PID', '1', none, [identity.value, none, none, authorityOf(identity), 'PI'], none, identity.name === undefined ? named(none, 'U') : named(identity.name, 'D')];
  return [patient, ['PV1', '1', 'U']];
}

/** A name as people say it, and of what type it is (HL7 table 0200): U, not said; S, a pseudonym; D, for display. */
const named = (name: string | undefined, type: 'U' | 'S' | 'D'): Components => [name, undefined, undefined, undefined, undefined, undefined, type];

/** CX.4: an object identifier as such, any other URI as one. */
function authorityOf({ system }: MappedIdentity): readonly (string | undefined)[] {
  const oid = /^urn:oid:([0-9.]+)$/.exec(system)?.[1];
  return oid === undefined ? [undefined, system, 'URI'] : [undefined, oid, 'ISO'];
}

const NOTICE = 'Vitalgate is not a certified medical device. Do not rely on it alone.';
const EXCERPT = 'An excerpt: not all of it may be shown. The gateway alone vouches for it.';

/** What people have to know who read the message. */
export function notices({ whole }: Pick<HospitalRecord, 'whole'>): readonly Segment[] {
  return [NOTICE, ...(whole ? [] : [EXCERPT])].map((text, i): Segment => ['NTE', String(i + 1), undefined, text]);
}
