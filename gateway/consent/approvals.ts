/**
 * m of n: a release happens when as many of those a grant names have agreed to this very request. One key counts once; the order in which they
 * come and how often they come changes nothing; what came after the request expired, or was signed for another, counts for nothing.
 */

import { messageOf } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import { isWithin } from './fields.ts';
import type { ApprovalRule, Grant } from './grant.ts';
import { fingerprint } from '../ledger/es256k.ts';
import { fromHex } from './fields.ts';
import { itemsOf } from './data-classes.ts';
import { isMeant } from './recipient.ts';
import { beyondGrant, hashOfRelease, readRelease, type ReleaseRequest } from './release.ts';
import type { Case } from './scope.ts';
import { isSignedBy, openStatement, type SignedStatement } from './statement.ts';
import type { Fidelity } from './vocabulary.ts';

/** A request with those who agreed, by the names the grant gives them. JSON. */
export type Release = Readonly<{
  request: ReleaseRequest;
  /** Hexadecimal. */
  hash: string;
  threshold: number;
  approvals: readonly Readonly<{ name: string; by: string; at: UnixMillis }>[];
  /** When enough had agreed; absent: not yet. */
  approved?: UnixMillis;
}>;

/** In the order they were asked for. */
export type Releases = readonly Release[];

/** Requests that wait or are released. A choice of this project. */
export const MOST_RELEASES = 256;

export type ReleaseRefusal =
  | 'malformed' | 'beyond_grant' | 'expired' | 'already_known' | 'too_many' | 'unknown_request' | 'not_an_approval' | 'other_expiry' | 'unknown_key' | 'bad_signature' | 'already_approved';

export type ReleaseRefused = Readonly<{ accepted: false; reason: ReleaseRefusal; why: string }>;
type Outcome = Readonly<{ releases: Releases; outcome: Readonly<{ accepted: true; release: Release }> | ReleaseRefused }>;

const refused = (releases: Releases, reason: ReleaseRefusal, why: string): Outcome => ({ releases, outcome: { accepted: false, reason, why } });

/** Asks for approval. `grantOf` finds a grant in force by patient and id. Never throws for bytes. */
export function askRelease(releases: Releases, bytes: Uint8Array, grantOf: (patient: string, id: string) => Grant | undefined, now: UnixMillis): Outcome {
  let request: ReleaseRequest;
  try {
    request = readRelease(bytes);
  } catch (error) {
    return refused(releases, 'malformed', messageOf(error));
  }
  const grant = grantOf(request.patient, request.grant);
  const beyond = grant === undefined ? `there is no grant ${request.grant} of this patient in force` : beyondGrant(request, grant);
  if (grant?.approval === undefined || beyond !== undefined) return refused(releases, 'beyond_grant', beyond ?? '');
  if (request.expires <= now || request.period.until <= now) return refused(releases, 'expired', 'its time is over');
  const hash = hashOfRelease(request);
  if (releases.some((each) => each.hash === hash)) return refused(releases, 'already_known', 'it was asked before');
  const kept = releases.filter((each) => !isOver(each, now));
  if (kept.length >= MOST_RELEASES) return refused(releases, 'too_many', `there are ${MOST_RELEASES} requests already`);
  const release: Release = { request, hash, threshold: grant.approval.threshold, approvals: [] };
  return { releases: [...kept, release], outcome: { accepted: true, release } };
}

const isOver = ({ request, approved }: Release, now: UnixMillis): boolean => request.period.until <= now || (approved === undefined && request.expires <= now);

/** Takes an approval. `ruleOf` finds the rule of a grant in force by patient and id. Never throws for bytes. */
export function applyApproval(releases: Releases, bytes: Uint8Array, ruleOf: (patient: string, id: string) => ApprovalRule | undefined, now: UnixMillis): Outcome {
  let opened: SignedStatement;
  try {
    opened = openStatement(bytes);
  } catch (error) {
    return refused(releases, 'malformed', messageOf(error));
  }
  const { statement } = opened;
  if (statement.kind !== 'approval') return refused(releases, 'not_an_approval', `this is a ${statement.kind}`);
  const release = releases.find(({ hash }) => hash === statement.request);
  if (release === undefined) return refused(releases, 'unknown_request', `nobody asked for ${statement.request}`);
  if (statement.expires !== release.request.expires) return refused(releases, 'other_expiry', 'the approval and the request expire at different instants');
  if (release.request.expires <= now) return refused(releases, 'expired', 'the request has expired');
  const approver = ruleOf(release.request.patient, release.request.grant)?.of.find(({ key }) => fingerprint(fromHex(key)) === statement.by);
  if (approver === undefined) return refused(releases, 'unknown_key', `the grant, if it is in force, does not name key ${statement.by}`);
  if (!isSignedBy(opened, approver.key)) return refused(releases, 'bad_signature', `the signature is not by ${approver.name}`);
  if (release.approvals.some(({ by }) => by === statement.by)) return refused(releases, 'already_approved', `${approver.name} agreed before; one key counts once`);
  const after = agreed(release, { name: approver.name, by: statement.by, at: now });
  return { releases: releases.map((each) => (each === release ? after : each)), outcome: { accepted: true, release: after } };
}

function agreed(release: Release, approval: Release['approvals'][number]): Release {
  const approvals = [...release.approvals, approval];
  return { ...release, approvals, ...(release.approved === undefined && approvals.length >= release.threshold ? { approved: approval.at } : {}) };
}

/** How much was released of this case under that grant; undefined: nothing, at that instant. */
export function releaseFor(releases: Releases, grant: string, { recipient, purpose, item }: Case, at: UnixMillis): Fidelity | undefined {
  return releases.find(({ request, approved }) =>
    approved !== undefined && approved <= at && request.grant === grant && request.purpose === purpose && isWithin(request.period, at) &&
    isMeant(request.recipient, recipient) && (request.what === undefined || request.what.flatMap(itemsOf).includes(item)))?.request.fidelity;
}

/** What is forgotten with a patient who is erased. */
export const forgetReleases = (releases: Releases, patient: string): Releases => releases.filter(({ request }) => request.patient !== patient);
