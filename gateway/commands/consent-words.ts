/** Statements and requests about consent, in words that people can check before they sign. */

import { itemsOf } from '../consent/data-classes.ts';
import type { Grant } from '../consent/grant.ts';
import type { Recipient } from '../consent/recipient.ts';
import { hashOfRelease, type ReleaseRequest } from '../consent/release.ts';
import { openStatement, type Statement } from '../consent/statement.ts';
import { PURPOSES } from '../consent/vocabulary.ts';
import type { ConsentView } from '../consent-desk.ts';
import { formatArmour, parseArmour } from '../ledger/armour.ts';
import { CborError } from '../ledger/cbor.ts';
import { readRelease } from '../consent/release.ts';
import { messageOf, UsageError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';

const STATEMENT = 'vitalgate statement 1';
const REQUEST = 'vitalgate request 1';

export const formatStatement = (bytes: Uint8Array): string => formatArmour(STATEMENT, bytes, statementInWords(openStatement(bytes).statement));
export const formatRequest = (bytes: Uint8Array): string => formatArmour(REQUEST, bytes, requestInWords(readRelease(bytes)));

/** Throws {@link UsageError} for a text that is no statement; so does {@link parseRequest} for one that is no request. */
export const parseStatement = (text: string): Uint8Array => parsing(() => parseArmour(STATEMENT, text));
export const parseRequest = (text: string): Uint8Array => parsing(() => parseArmour(REQUEST, text));

export const isRequest = (text: string): boolean => text.startsWith(`${REQUEST}\n`);

/** Throws {@link UsageError} in place of what a reader of bytes says. */
export function parsing<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new UsageError(messageOf(cause), { cause });
    throw cause;
  }
}

const date = (at: UnixMillis): string => new Date(at).toISOString();
const purposeInWords = (purpose: string): string => `${purpose} (${PURPOSES[purpose] ?? 'one study'})`;

function recipientInWords({ hospital, role, person }: Recipient): string {
  const parts = [hospital === undefined ? undefined : `the hospital with key ${hospital}`, role === undefined ? undefined : `whoever is ${role}`, person];
  const named = parts.filter((part) => part !== undefined);
  return named.length === 0 ? 'anybody' : named.join(', ');
}

const dataInWords = (what: readonly string[] | undefined): string =>
  what === undefined ? 'all data' : what.map((word) => (itemsOf(word).length > 1 ? `${word} (${itemsOf(word).join(', ')})` : word)).join('; ');

export function statementInWords(statement: Statement): readonly string[] {
  switch (statement.kind) {
    case 'grant': return grantInWords(statement);
    case 'revocation': return [
      `patient ${statement.patient}: ${statement.what === 'grant' ? `grant ${statement.which} counts no more` : `key ${statement.which} speaks for the patient no more`}`,
      ...(statement.reason === undefined ? [] : [`because: ${statement.reason}`]), `said with key ${statement.by}`,
    ];
    case 'approval': return [`agrees to request ${statement.request}, which expires ${date(statement.expires)}`, `said with key ${statement.by}`];
  }
}

function grantInWords({ id, patient, by, permit, to, what, fidelity, purposes, from, until, labels, sources, measured, approval }: Grant): readonly string[] {
  return [
    `grant ${id}: patient ${patient} ${permit ? 'permits' : 'DENIES'}`,
    `to whom: ${recipientInWords(to)}`,
    `what: ${dataInWords(what)}${fidelity === undefined ? '' : `, ${fidelity}`}`,
    `what for: ${purposes === undefined ? 'whatever it is for' : purposes.map(purposeInWords).join('; ')}`,
    `when: from ${date(from)} ${until === undefined ? 'until it is revoked' : `until ${date(until)}`}`,
    ...(labels === undefined ? [] : [`only data labelled ${labels.join(', ')}`]),
    ...(sources === undefined ? [] : [`only data from ${sources.join(', ')}`]),
    ...(measured === undefined ? [] : [`only what was measured from ${date(measured.from)} ${measured.until === undefined ? 'on' : `until ${date(measured.until)}`}`]),
    ...(approval === undefined ? [] : [`only when ${approval.threshold} of these agree: ${approval.of.map(({ name, key }) => `${name} (${key})`).join(', ')}`]),
    `said with key ${by}`,
  ];
}

export function requestInWords(request: ReleaseRequest): readonly string[] {
  const { patient, grant, recipient, what, fidelity, purpose, period, expires } = request;
  return [
    `request ${hashOfRelease(request)}`,
    `may ${recipientInWords(recipient)} see ${dataInWords(what)} of patient ${patient}, ${fidelity}, for ${purposeInWords(purpose)},`,
    `from ${date(period.from)} until ${date(period.until)}, as grant ${grant} permits if others agree?`,
    `answers count until ${date(expires)}`,
  ];
}

export function viewInWords({ patient, version, keys, grants, requests }: ConsentView, now: UnixMillis): readonly string[] {
  const isOver = ({ grant, ended }: ConsentView['grants'][number]): boolean => (ended !== undefined && ended.at <= now) || (grant.until !== undefined && grant.until <= now);
  return [
    `patient ${patient}, version ${version}`,
    ...(keys.length === 0 ? ['no key speaks for this patient: "vitalgate consent enrol"'] : []),
    ...keys.map(({ fingerprint, who, name, period, revoked }) =>
      `key ${fingerprint}: ${name}, ${who}, ${revoked === undefined ? (period.until === undefined ? 'until it is revoked' : `until ${date(period.until)}`) : `REVOKED ${date(revoked.at)}: ${revoked.reason}`}`),
    ...(grants.length === 0 ? ['nothing was said: the base of this deployment decides'] : []),
    ...grants.flatMap((kept) => ['', `${isOver(kept) ? '(counts no more) ' : ''}accepted ${date(kept.accepted)}`, ...grantInWords(kept.grant).map((line) => `  ${line}`)]),
    ...requests.flatMap(({ hash, grant, purpose, approvals, threshold, released, expires }) =>
      ['', `request ${hash} under grant ${grant} for ${purpose}: ${approvals.length} of ${threshold} agreed${approvals.length === 0 ? '' : ` (${approvals.join(', ')})`}, ${released ? 'RELEASED' : `waits until ${date(expires)}`}`]),
  ];
}
