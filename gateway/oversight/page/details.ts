/** The details of one gateway, in a dialog. */

import type { GatewayView, LaneView } from '../gateway-book.ts';
import { make, part } from './element.ts';
import { adviceFor, count, instant, many, reasonIn, size, span, STATE_WORDS } from './words.ts';

/** The newest block of a lane as the node holds it (GET /v1/chains/{chain}/{lane}/head). */
export type Head = Readonly<{ height: number; hash: string; treeSize: number; receipt: string | null; forked: boolean }>;

export type ReadHead = (chain: string, lane: string) => Promise<Head | undefined>;

export async function showDetails(gateway: GatewayView, readHead: ReadHead): Promise<void> {
  const heads = await Promise.all(gateway.lanes.map(({ lane }) => readHead(gateway.chain, lane)));
  const { state, name, fingerprint, chain, lastFailure, releases, payloads } = gateway;
  const advice = adviceFor(gateway);
  const failures = Object.entries(gateway.failures);
  part('details-title').textContent = `Gateway ${name ?? fingerprint.slice(0, 12)}`;
  part('details-body').replaceChildren(
    make('p', { class: 'state', 'data-state': state }, STATE_WORDS[state]),
    ...(advice.length === 0 ? [] : [make('div', { class: `advice ${state === 'forked' ? 'bad' : 'warning'}` }, make('h3', {}, 'What to do'), make('ol', {}, ...advice.map((each) => make('li', {}, each))))]),
    list([
      ['Key', code(fingerprint)], ['Chain', code(chain)],
      ['Beside its blocks', `${many(releases, 'release')} with ${many(payloads, 'payload')}`],
      ['Refused', failures.length === 0 ? 'nothing' : failures.map(([reason, each]) => `${many(each, 'offer')} ${reasonIn(reason)}`).join('; ')],
      ...(lastFailure === null ? [] : [['Refused last', `${instant(lastFailure.time)}, ${reasonIn(lastFailure.reason)}`] as const]),
    ]),
    ...gateway.lanes.map((lane, index) => laneSection(chain, lane, heads[index])),
  );
  const dialog = part('details') as HTMLDialogElement;
  if (!dialog.open) dialog.showModal();
}

function laneSection(chain: string, { lane, height, time, arrived, delay, usual, fork, blocks, bytes, receipts, gaps }: LaneView, head: Head | undefined): HTMLElement {
  const base = `/v1/chains/${chain}/${lane}`;
  return make('section', { 'data-lane': lane }, make('h3', {}, lane === 'alarm' ? 'Lane of alarms' : 'Lane of records'),
    list([
      ['Newest block', `${count(height)}, sealed ${instant(time)} by the gateway's clock`],
      ['Came', `${instant(arrived)} by this node's clock, ${span(delay)} after it was sealed`],
      ['Usually', usual === null ? 'not known yet' : `every ${span(usual)}`],
      ['Hash', code(head?.hash ?? '–')],
      ['Entries', head === undefined ? '–' : count(head.treeSize)],
      ['Receipt', head?.receipt === undefined || head.receipt === null ? 'none for the newest block' : link(`${base}/receipts/${head.height}`, `for block ${count(head.height)}`, `${chain}-${lane}-${head.height}.receipt`)],
      ['Since the start', `${many(blocks, 'block')} (${size(bytes)}), ${many(receipts, 'receipt')}, ${many(gaps, 'gap')} offered`],
    ]),
    make('p', { class: 'links' },
      link(`${base}/blocks?from=0`, 'Export this lane', `${chain}-${lane}.chain`),
      ...(fork === null ? [] : [link(`/v1/forks/${chain}/${lane}`, `Evidence of the fork at block ${count(fork)}`, `${chain}-${lane}.fork`)])));
}

type Entry = readonly [term: string, text: string | Node];

export const list = (entries: readonly Entry[]): HTMLElement => make('dl', {}, ...entries.map(([term, text]) => make('div', {}, make('dt', {}, term), make('dd', {}, text))));
const code = (text: string): HTMLElement => make('code', {}, text);
const link = (href: string, text: string, download: string): HTMLElement => make('a', { href, download }, text);
