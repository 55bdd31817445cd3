/**
 * What a hospital is told of somebody's consents, so that it can make every decision about what it holds by the same rules (decide.ts): what
 * was permitted and denied that may mean this hospital or anybody there, under names that are pseudonyms. Of third parties it says that they are asked, not who
 * they are; of devices that some are meant, not which. A canonical CBOR map, in a sealed release only:
 *
 *     { 1: 1         version
 *       2: at        uint, what the gateway's clock showed, ms since 1970: nothing of it began later
 *       3: names     array of bstr 16: pseudonyms this hospital may know the same one by
 *       4: base      array of { 1: to, 2: purposes, 3: what (absent: all), 4: fidelity }: what holds where a patient said nothing
 *     of a patient:
 *       5: version   bstr 32 (consents.ts)
 *       6: grants    array of { 1: grant (grant.ts), 2: accepted, 3: since when it counts no more, 4: how many others must agree }
 *       7: releases  array of [ request (release.ts) bstr, approved uint ]
 *     of a room:
 *       8: residents array of bstr 16: a pseudonym of each who lives there and of whom the hospital is told
 *       9: others    true: somebody lives there who said nothing, or nobody does. false: that is all of them }
 *
 * In grants and requests the patient is the pseudonym of the same map that comes first, the key that signed is all zeros, and so is the version before.
 */

import { toHex } from '../ledger/bytes.ts';
import { asArray, asBytes, asCount, asText, CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborKey, type CborMap, type CborValue, decode, encode } from '../ledger/cbor.ts';
import { UnixMillis } from '../quantity.ts';
import type { Release, Releases } from './approvals.ts';
import { MOST_GRANTS, NO_CONSENTS, type Consents, type KeptGrant, type PatientConsents } from './consents.ts';
import { isItemOrClass } from './data-classes.ts';
import type { BaseRule } from './decide.ts';
import { asWords, fromHex, ID_BYTES } from './fields.ts';
import { encodeGrant, readFidelity, readGrant, type Grant } from './grant.ts';
import { encodeRecipient, readRecipient, type Recipient } from './recipient.ts';
import { encodeRelease, readRelease } from './release.ts';
import { isPurpose } from './vocabulary.ts';

const TOLD_VERSION = 1;
const NAME_BYTES = 16;
const VERSION_BYTES = 32;
/** A pseudonym for each epoch: forty years of thirty days. */
export const MOST_NAMES = 512;
const MOST_RESIDENTS = 256;
const MOST_RULES = 64;

type Common = Readonly<{
  /** The gateway's clock. */
  at: UnixMillis;
  /** Pseudonyms, 32 hexadecimal digits; the first is of the epoch under whose key it is told. */
  names: readonly string[];
  base: readonly BaseRule[];
}>;

/** Grants are told without whoever else is asked by name (`approval.of` is empty), and without which sources are meant (`sources` names none that there is). */
export type ToldPatient = Common & Readonly<{ kind: 'patient'; version: string; grants: readonly KeptGrant[]; releases: Releases }>;
/** `others`: where nobody said anything, the base decides, too. */
export type ToldRoom = Common & Readonly<{ kind: 'room'; residents: readonly string[]; others: boolean }>;
export type Told = ToldPatient | ToldRoom;

/** A source that is no device: what comes from a named one is not known to be meant. */
const SOME_SOURCE = ['some source'];
const NOBODY = '00'.repeat(ID_BYTES);
const NO_VERSION = '00'.repeat(VERSION_BYTES);

/** What may mean a hospital, or somebody there. */
const mayMean = ({ hospital: named }: Recipient, hospital: string): boolean => named === undefined || named === hospital;

/** What of a patient's consents is told to a hospital (fingerprint of its key), under these names. What is over is left out. */
export function toldOf(consents: PatientConsents, releases: Releases, { hospital, names, base, at }: Common & Readonly<{ hospital: string }>): ToldPatient {
  const [patient = ''] = names;
  const grants = consents.grants.filter(({ grant, ended }) => mayMean(grant.to, hospital) && (ended === undefined || at < ended.at) && (grant.until === undefined || at < grant.until));
  const known = new Set(grants.map(({ grant }) => grant.id));
  return {
    kind: 'patient', at, names, base, version: consents.version,
    grants: grants.map(({ grant, accepted, ended }) => ({ grant: withoutNames(grant, patient), accepted, ...(ended === undefined ? {} : { ended: { at: ended.at, by: '' } }) })),
    releases: releases.flatMap(({ request, approved }) => (approved === undefined || !known.has(request.grant) || !mayMean(request.recipient, hospital) ? [] : [releaseOf({ ...request, id: NOBODY, patient }, approved)])),
  };
}

const withoutNames = ({ approval, sources, ...grant }: Grant, patient: string): Grant => ({
  ...grant, patient, by: NOBODY, after: NO_VERSION,
  ...(approval === undefined ? {} : { approval: { threshold: approval.threshold, of: [] } }),
  ...(sources === undefined ? {} : { sources: SOME_SOURCE }),
});

const releaseOf = (request: Release['request'], approved: UnixMillis): Release => ({ request, hash: '', threshold: 0, approvals: [], approved });

export function encodeTold(told: Told): Uint8Array {
  const common: [CborKey, CborValue][] = [[1, TOLD_VERSION], [2, told.at], [3, told.names.map(fromHex)], [4, told.base.map(encodeRule)]];
  if (told.kind === 'room') return encode(new Map<CborKey, CborValue>([...common, [8, told.residents.map(fromHex)], [9, told.others]]));
  return encode(new Map<CborKey, CborValue>([...common, [5, fromHex(told.version)], [6, told.grants.map(encodeKept)], [7, told.releases.map(({ request, approved }) => [encodeRelease(request), approved ?? 0])]]));
}

function encodeRule({ to, purposes, what, fidelity }: BaseRule): CborMap {
  return new Map<CborKey, CborValue>([[1, encodeRecipient(to)], [2, purposes], ...(what === undefined ? [] : [[3, what] as const]), [4, fidelity]]);
}

function encodeKept({ grant: { approval, ...grant }, accepted, ended }: KeptGrant): CborMap {
  const map = new Map<CborKey, CborValue>([[1, encodeGrant(grant)], [2, accepted]]);
  if (ended !== undefined) map.set(3, ended.at);
  if (approval !== undefined) map.set(4, approval.threshold);
  return map;
}

/** Throws {@link CborError} saying what was expected. */
export function readTold(bytes: Uint8Array): Told {
  const value = decode(bytes);
  const fields = new CborFields(value, 'told consents', [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  fields.version(1, TOLD_VERSION);
  const common = { at: UnixMillis(fields.count(2)), names: namesIn(fields.array(3), MOST_NAMES, 'key 3'), base: atMost(fields.array(4), MOST_RULES, 'key 4').map(readRule) };
  if (common.names.length === 0) throw new CborError('malformed', 'told consents key 3: expected at least one name');
  if (!fields.has(8)) {
    return {
      kind: 'patient', ...common, version: toHex(fields.bytes(5, VERSION_BYTES)),
      grants: atMost(fields.array(6), MOST_GRANTS, 'key 6').map(readKept),
      releases: atMost(fields.array(7), MOST_GRANTS, 'key 7').map(readApproved),
    };
  }
  const others = (value as CborMap).get(9);
  if (typeof others !== 'boolean') throw new CborError('malformed', 'told consents key 9: expected true or false');
  const residents = namesIn(fields.array(8), MOST_RESIDENTS, 'key 8');
  if (residents.length === 0 && !others) throw new CborError('malformed', 'told consents key 9: expected true where nobody lives');
  return { kind: 'room', ...common, residents, others };
}

function atMost<T>(list: readonly T[], most: number, what: string): readonly T[] {
  if (list.length > most) throw new CborError('malformed', `told consents ${what}: expected at most ${most} items, found ${list.length}`);
  return list;
}

const namesIn = (list: readonly CborValue[], most: number, what: string): readonly string[] => atMost(list, most, what).map((name) => toHex(asBytes(name, `told consents ${what}`, NAME_BYTES)));

function readRule(value: CborValue): BaseRule {
  const fields = new CborFields(value, 'told rule', [1, 2, 3, 4]);
  return {
    to: readRecipient(fields.map(1), 'told rule key 1'),
    purposes: fields.array(2).map((word, index) => purposeIn(asText(word, `told rule key 2/${index}`))),
    ...(fields.has(3) && { what: asWords(fields.array(3), 'told rule key 3', { isKnown: isItemOrClass, wanted: 'an item or a class', most: 64 }) }),
    fidelity: readFidelity(fields.text(4), 'told rule key 4'),
  };
}

function purposeIn(word: string): string {
  if (!isPurpose(word)) throw new CborError('malformed', `told rule key 2: expected a purpose, found ${JSON.stringify(word.slice(0, 40))}`);
  return word;
}

function readKept(value: CborValue): KeptGrant {
  const fields = new CborFields(value, 'told grant', [1, 2, 3, 4]);
  const grant = readGrant(fields.map(1));
  return {
    grant: { ...grant, ...(fields.has(4) && { approval: { threshold: fields.count(4, 1), of: [] } }) },
    accepted: UnixMillis(fields.count(2)),
    ...(fields.has(3) && { ended: { at: UnixMillis(fields.count(3)), by: '' } }),
  };
}

function readApproved(value: CborValue): Release {
  const [request, approved] = asArray(value, 'told release', 2);
  return releaseOf(readRelease(asBytes(request, 'told release')), UnixMillis(asCount(approved, 'approval of a told release', 1)));
}

/** As {@link decide} takes it, with `patient` as the one name. */
export const consentsTold = ({ version, grants }: Pick<ToldPatient, 'version' | 'grants'>, patient: string): Consents => ({ ...NO_CONSENTS, patients: { [patient]: { version, keys: [], grants, spent: [] } } });
