/** The acceptance table of consent, for everybody who decides by it. */

import type { Episode } from '../../gateway/consent/break-glass.ts';
import type { AccessRequest, Circumstances } from '../../gateway/consent/decide.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { denial, fingerprintOf, grant, idNumber, keyNumber, NOON } from './statements.ts';

export const HOSPITAL = fingerprintOf(keyNumber(11));
export const OTHER_HOSPITAL = fingerprintOf(keyNumber(12));
export const CHO = { person: 'cho', role: 'clinician' } as const;
export const BEN = { person: 'ben', role: 'caregiver' } as const;

const broken = (by: Episode['by'], patient = 'anna'): Circumstances => ({
  glass: [{ number: 7, patient, by, reason: 'unconscious', opened: UnixMillis(NOON - 1), ends: UnixMillis(NOON + 1000), due: UnixMillis(NOON + 9000) }],
});

export type Situation = readonly [what: string, grants: readonly Grant[], cases: readonly (readonly [Partial<AccessRequest>, 'permit' | 'deny', Circumstances?])[]];
const usual = ['TREAT', 'HPAYMT', 'HOPERAT'] as const;
const CLINICIANS = { role: 'clinician' } as const;
/** The situations of IHE Privacy Consent on FHIR (PCF 1.1, volume 1 §53.1 and its examples), told in this project's words. */
export const SITUATIONS: readonly Situation[] = [
  ['nothing was said, and the deployment has no base: denied', [], [[{}, 'deny'], [{ purpose: 'BTG' }, 'deny']]],
  ['basic, permit: everything for treatment, payment and operations', [grant({ purposes: [...usual].sort() })], [
    ...usual.map((purpose) => [{ purpose }, 'permit'] as const), [{ purpose: 'HRESCH' }, 'deny'], [{ purpose: 'ETREAT' }, 'deny'],
  ]],
  ['basic, deny: nothing at all to anybody', [denial()], [[{}, 'deny'], [{ purpose: 'HRESCH' }, 'deny'], [{ recipient: { hospital: HOSPITAL } }, 'deny']]],
  ['basic, deny all except that somebody of an authorised group breaks the glass', [denial(), grant({ id: idNumber(2), to: CLINICIANS, purposes: ['BTG'] })], [
    [{}, 'deny'], [{ purpose: 'BTG' }, 'deny'], [{ purpose: 'BTG' }, 'permit', broken({ id: 'cho', role: 'clinician' })], [{ purpose: 'TREAT' }, 'deny', broken({ id: 'cho', role: 'clinician' })],
    [{ purpose: 'BTG' }, 'deny', broken({ id: 'dan', role: 'clinician' })], [{ purpose: 'BTG' }, 'deny', broken({ id: 'cho', role: 'clinician' }, 'bob')],
  ]],
  ['basic, with an end: after it, denied', [grant({ until: NOON })], [[{}, 'deny']]],
  ['basic, from some day on: before it, denied', [grant({ from: UnixMillis(NOON + 1) })], [[{}, 'deny']]],
  ['intermediate, by date: only what was measured that year', [grant({ measured: { from: UnixMillis(NOON - 1000), until: NOON } })], [
    [{ measuredAt: UnixMillis(NOON - 500) }, 'permit'], [{ measuredAt: NOON }, 'deny'], [{}, 'deny'],
  ]],
  ['intermediate, by author: not what that device says', [grant(), denial({ id: idNumber(2), sources: ['clip'] })], [
    [{ source: 'band' }, 'permit'], [{ source: 'clip' }, 'deny'], [{}, 'deny'],
  ]],
  ['intermediate, by kind: only vital signs', [grant({ what: ['vital_signs'] })], [[{}, 'permit'], [{ what: ['motion'] }, 'deny']]],
  ['intermediate, by recipient: everybody but one', [grant(), denial({ id: idNumber(2), to: { person: 'ben' } })], [[{}, 'permit'], [{ recipient: BEN }, 'deny']]],
  ['intermediate, by hospital: one and no other', [grant({ to: { hospital: HOSPITAL } })], [[{ recipient: { hospital: HOSPITAL } }, 'permit'], [{ recipient: { hospital: OTHER_HOSPITAL } }, 'deny'], [{}, 'deny']]],
  ['intermediate, by purpose: a study and no other', [grant({ purposes: ['HRESCH/heart-2030'] })], [[{ purpose: 'HRESCH/heart-2030' }, 'permit'], [{ purpose: 'HRESCH/other' }, 'deny'], [{ purpose: 'HRESCH' }, 'deny']]],
  ['advanced, by label: the normal for treatment, payment and operations, the restricted only when the glass is broken', [
    grant({ purposes: [...usual].sort(), labels: ['N'] }), grant({ id: idNumber(2), purposes: ['BTG'], labels: ['N', 'R'] }),
  ], [
    ...usual.map((purpose) => [{ purpose }, 'permit'] as const), ...usual.map((purpose) => [{ purpose, label: 'R' }, 'deny'] as const),
    [{ purpose: 'BTG', label: 'R' }, 'deny'], [{ purpose: 'BTG', label: 'R' }, 'permit', broken({ id: 'cho', role: 'clinician' })], [{ label: 'R' }, 'deny', broken({ id: 'cho', role: 'clinician' })],
  ]],
  ['advanced, by label: all but what is about mental health and abuse', [grant(), denial({ id: idNumber(2), labels: ['PSY', 'SDV'] })], [
    [{}, 'permit'], [{ label: 'R' }, 'permit'], [{ label: 'PSY' }, 'deny'], [{ label: 'SDV' }, 'deny'],
  ]],
];
