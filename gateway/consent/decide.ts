/**
 * Who may see what, how much of it and why. The law, in order:
 *
 * 1. Unknown purpose, item, label or recipient: denied. A recipient is unknown who proves to be nobody, or a hospital nobody configured.
 * 2. What counts is what is in force at the instant and covers the case (scope.ts).
 * 3. Of that, whatever has something more specific beside it is set aside. Of what is left the least counts: a denial before a permission, a
 *    lower fidelity before a higher one. So nothing opens unless somebody spoke of exactly that.
 * 4. A permission that needs others' approval is a denial until they gave it (approvals.ts).
 * 5. Where the patient said nothing that covers the case, the deployment's base decides; without one: denied.
 * 6. BTG needs an open episode of this person for this patient, whatever was permitted. With one, only what names BTG counts, and where
 *    nothing does, all is permitted: consent was given for other days than this one.
 *
 * A decision names the version of the patient's consents, so that it can be made again.
 */

import type { UnixMillis } from '../quantity.ts';
import { releaseFor, type Release } from './approvals.ts';
import { openEpisode, type Glass } from './break-glass.ts';
import { consentsOf, type Consents, type KeptGrant } from './consents.ts';
import { classOf, isItemOrClass, ITEMS, itemsOf } from './data-classes.ts';
import { isWithin } from './fields.ts';
import type { ApprovalRule, Grant } from './grant.ts';
import { isNobody, type Recipient } from './recipient.ts';
import { isMoreSpecific, wordsFor, type Case, type Limits } from './scope.ts';
import { BREAK_GLASS, FIDELITIES, isLabel, isPurpose, isRole, lesserFidelity, type Fidelity } from './vocabulary.ts';

export type AccessRequest = Readonly<{
  patient: string;
  recipient: Recipient;
  /** ActReason code, or HRESCH/study. */
  purpose: string;
  /** Items and classes; absent: all there are. */
  what?: readonly string[];
  /** vocabulary.ts. Default N. */
  label?: string;
  source?: string;
  measuredAt?: UnixMillis;
}>;

/** What a deployment permits where the patient said nothing: `hospital` or `role` of it gets these purposes. */
export type BaseRule = Readonly<{ to: Recipient; purposes: readonly string[]; what?: readonly string[]; fidelity: Fidelity }>;

/** What is known besides consents. */
export type Circumstances = Readonly<{
  /** Default none. */
  base?: readonly BaseRule[];
  /** Fingerprints of hospitals there are; absent: any that proves its key. */
  hospitals?: readonly string[];
  glass?: Glass;
  /** What enough people approved. */
  releases?: readonly Release[];
}>;

/** Whose approval is missing for which grant. */
export type Need = Readonly<{ grant: string; approval: ApprovalRule }>;

export type Decision = Readonly<{
  /** `permit` when something of what was asked for is permitted. */
  decision: 'permit' | 'deny';
  /** The least of what is permitted; absent when nothing is. */
  fidelity?: Fidelity;
  /** What is permitted, by item. */
  what: Readonly<Record<string, Fidelity>>;
  /** Of what was asked for. */
  withheld: readonly string[];
  /** For people: each reason once. */
  why: readonly string[];
  /** Ids of the grants that decided. */
  grants: readonly string[];
  /** Number of the break-glass episode it rests on. */
  episode?: number;
  version: string;
  /** With these approvals more would be permitted. */
  needs?: readonly Need[];
}>;

/** About one item. `level` undefined: denied. */
type Verdict = Readonly<{ level: Fidelity | undefined; why: string; grants: readonly string[]; needs: readonly Need[] }>;

export function decide(consents: Consents, request: AccessRequest, at: UnixMillis, circumstances: Circumstances = {}): Decision {
  const { version } = consentsOf(consents, request.patient);
  const fault = unknownIn(request, circumstances);
  const asked = [...new Set((request.what ?? ITEMS).flatMap(itemsOf))];
  if (fault !== undefined) return { decision: 'deny', what: {}, withheld: asked, why: [fault], grants: [], version };
  const episode = request.purpose === BREAK_GLASS ? openEpisode(circumstances.glass ?? [], request.patient, request.recipient.person, at) : undefined;
  const verdicts = asked.map((item) => [item, verdictOn(consents, request, item, at, circumstances, episode !== undefined)] as const);
  return summedUp(verdicts, { version, ...(episode === undefined ? {} : { episode: episode.number }) });
}

function summedUp(verdicts: readonly (readonly [item: string, verdict: Verdict])[], rest: Pick<Decision, 'version' | 'episode'>): Decision {
  const permitted = verdicts.flatMap(([item, { level }]) => (level === undefined ? [] : [[item, level] as const]));
  const needs = new Map(verdicts.flatMap(([, verdict]) => verdict.needs).map((need) => [need.grant, need]));
  const [first, ...more] = permitted.map(([, level]) => level);
  return {
    decision: first === undefined ? 'deny' : 'permit',
    ...(first === undefined ? {} : { fidelity: more.reduce(lesserFidelity, first) }),
    what: Object.fromEntries(permitted),
    withheld: verdicts.filter(([, { level }]) => level === undefined).map(([item]) => item),
    why: [...new Set(verdicts.map(([, { why }]) => why))],
    grants: [...new Set(verdicts.flatMap(([, { grants }]) => grants))],
    ...rest,
    ...(needs.size === 0 ? {} : { needs: [...needs.values()] }),
  };
}

function unknownIn({ purpose, recipient, what, label = 'N' }: AccessRequest, { hospitals }: Circumstances): string | undefined {
  if (!isPurpose(purpose)) return `the purpose ${JSON.stringify(purpose)} is unknown`;
  if (!isLabel(label)) return `the label ${JSON.stringify(label)} is unknown`;
  const strange = what?.find((word) => !isItemOrClass(word));
  if (strange !== undefined) return `there is no data called ${JSON.stringify(strange)}`;
  if (what?.length === 0) return 'nothing was asked for';
  if (isNobody(recipient) || (recipient.hospital === undefined && recipient.person === undefined)) return 'the recipient is unknown';
  if (recipient.role !== undefined && !isRole(recipient.role)) return `the role ${JSON.stringify(recipient.role)} is unknown`;
  if (recipient.hospital !== undefined && hospitals?.includes(recipient.hospital) === false) return `the hospital with key ${recipient.hospital} is unknown`;
  return undefined;
}

function verdictOn(consents: Consents, request: AccessRequest, item: string, at: UnixMillis, circumstances: Circumstances, glassIsBroken: boolean): Verdict {
  const question: Case = { ...request, item, label: request.label ?? 'N' };
  const isEmergency = request.purpose === BREAK_GLASS;
  if (isEmergency && !glassIsBroken) return denied('nobody of that name has broken the glass for this patient');
  const covering = consentsOf(consents, request.patient).grants.filter((kept) => isInForce(kept, at) && (!isEmergency || kept.grant.purposes?.includes(BREAK_GLASS) === true));
  const deciding = mostSpecific(covering.map(({ grant }) => grant), question);
  if (deciding.length > 0) return least(deciding, question, at, circumstances);
  if (isEmergency) return { level: 'full', why: 'the glass is broken, and the patient said nothing about that', grants: [], needs: [] };
  return baseFor(question, circumstances.base ?? []);
}

const denied = (why: string): Verdict => ({ level: undefined, why, grants: [], needs: [] });

/** Whether it counted at that instant, as far as it is still known. */
const isInForce = ({ grant, accepted, ended }: KeptGrant, at: UnixMillis): boolean => accepted <= at && isWithin(grant, at) && (ended === undefined || at < ended.at);

/** Those that cover the case and have nothing more specific beside them. */
function mostSpecific<T extends Limits>(grants: readonly T[], question: Case): readonly T[] {
  const covering = grants.flatMap((grant) => {
    const words = wordsFor(grant, question);
    return words === undefined ? [] : [{ grant, words }];
  });
  return covering.filter((each) => !covering.some((other) => isMoreSpecific(other.words, each.words))).map(({ grant }) => grant);
}

function least(deciding: readonly Grant[], question: Case, at: UnixMillis, { releases = [] }: Circumstances): Verdict {
  const denials = deciding.filter(({ permit }) => !permit);
  if (denials.length > 0) return { level: undefined, why: `denied by ${named(denials)}`, grants: denials.map(({ id }) => id), needs: [] };
  const levels = deciding.map((grant) => ({ grant, level: levelOf(grant, question, at, releases) }));
  const waiting = levels.filter(({ level }) => level === undefined).map(({ grant }) => grant);
  if (waiting.length > 0) return { level: undefined, why: `others must approve first, as ${named(waiting)} says`, grants: waiting.map(({ id }) => id), needs: waiting.flatMap(needOf) };
  const level = levels.map((each) => each.level as Fidelity).reduce(lesserFidelity, FIDELITIES[0]);
  const deciders = levels.filter((each) => each.level === level).map(({ grant }) => grant);
  return { level, why: `permitted by ${named(deciders)}`, grants: deciders.map(({ id }) => id), needs: [] };
}

/** Undefined: not before enough others approved it. */
function levelOf({ id, fidelity, approval }: Grant, question: Case, at: UnixMillis, releases: readonly Release[]): Fidelity | undefined {
  if (approval === undefined || fidelity === undefined) return fidelity;
  const released = releaseFor(releases, id, question, at);
  return released === undefined ? undefined : lesserFidelity(fidelity, released);
}

const needOf = ({ id, approval }: Grant): readonly Need[] => (approval === undefined ? [] : [{ grant: id, approval }]);

const named = (grants: readonly Grant[]): string => grants.map(({ id, what, purposes }) => `grant ${id.slice(0, 8)} (${what?.join(', ') ?? 'all data'}; ${purposes?.join(', ') ?? 'any purpose'})`).join(' and ');

function baseFor(question: Case, base: readonly BaseRule[]): Verdict {
  const rules = mostSpecific(base.map((rule) => ({ ...rule, permit: true })), question);
  const [first, ...more] = rules.map(({ fidelity }) => fidelity);
  if (first === undefined) return denied(`nothing was granted that covers ${question.item} (${classOf(question.item) ?? ''}) for ${question.purpose}`);
  return { level: more.reduce(lesserFidelity, first), why: 'the patient said nothing about it, and the base of this deployment permits it', grants: [], needs: [] };
}
