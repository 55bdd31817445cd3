/** The page of a hospital node in a browser: signs in with a token, then asks the node again and again how it does. */

import type { GatewayView } from '../gateway-book.ts';
import type { NodeStatus, StatusAnswer } from '../node-status.ts';
import { list, showDetails, type Head } from './details.ts';
import { make, part, show, showMade } from './element.ts';
import { GatewayTable } from './gateways.ts';
import { count, instant, many, noticesOf, reasonIn, size, span } from './words.ts';

const EVERY_MS = 5000;
const PAGE_SIZE = 50;

type Member = Readonly<{ person: string; role: string }>;
type Failed = Readonly<{ error: string; message: string }>;

const [token, search] = [part('token') as HTMLInputElement, part('search') as HTMLInputElement];
const [chosenState, chosenOrder] = [part('state') as HTMLSelectElement, part('order') as HTMLSelectElement];
const [earlier, later] = [part('earlier') as HTMLButtonElement, part('later') as HTMLButtonElement];
const dialog = part('details') as HTMLDialogElement;
const table = new GatewayTable((chain) => void openDetails(chain));
/** What pages before this one ended with; the first has nothing before it. */
let pages: readonly string[] = [];
let next: string | null = null;
let timer: number | undefined;
/** The newest question: an answer to an older one is not shown. */
let asked = 0;

async function ask<T>(path: string, init: Readonly<{ method?: string; body?: string }> = {}): Promise<T | Failed> {
  const headers = { 'x-requested-with': 'page', ...(init.body === undefined ? {} : { 'content-type': 'application/json' }) };
  const answer = await fetch(path, { credentials: 'same-origin', ...init, headers });
  return answer.status === 204 ? ({} as T) : ((await answer.json()) as T | Failed);
}

const isFailed = (answer: object): answer is Failed => 'error' in answer;

async function begin(): Promise<void> {
  const member = await ask<Member>('/v1/session').catch(() => undefined);
  if (member === undefined || isFailed(member)) signedOut('');
  else signedIn(member);
}

function signedIn({ person, role }: Member): void {
  if (role !== 'administrator') {
    signedOut(`${person} is signed in as ${role}. This page is for administrators: what the others may see, they get from the API.`);
    return;
  }
  part('sign-in').hidden = true;
  part('node').hidden = false;
  part('who').hidden = false;
  show(part('person'), person);
  void look();
}

function signedOut(why: string): void {
  window.clearTimeout(timer);
  asked += 1;
  part('node').hidden = true;
  part('who').hidden = true;
  part('sign-in').hidden = false;
  show(part('sign-in-problem'), why);
  dialog.close();
  token.focus();
}

part('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn();
});

async function signIn(): Promise<void> {
  const body = JSON.stringify({ token: token.value.trim() });
  token.value = '';
  try {
    const answer = await ask<Member>('/v1/session', { method: 'POST', body });
    if (isFailed(answer)) signedOut(answer.error === 'invalid_token' ? 'This token is not, or no longer, valid.' : answer.message);
    else {
      signedIn(answer);
      part('title').focus();
    }
  } catch {
    signedOut('The node does not answer. Try again.');
  }
}

part('sign-out').addEventListener('click', () => void signOut());

async function signOut(): Promise<void> {
  await ask('/v1/session', { method: 'DELETE' }).catch(() => undefined);
  signedOut('You are signed out.');
}

/** Asks once, and again after a while; while nobody looks, it waits. */
async function look(): Promise<void> {
  window.clearTimeout(timer);
  const question = (asked += 1);
  try {
    const answer = await ask<StatusAnswer>(`/v1/status?${queryText()}`);
    if (question !== asked) return;
    if (isFailed(answer)) {
      if (['no_token', 'invalid_token', 'not_allowed'].includes(answer.error)) return signedOut('Your session has ended. Sign in again.');
      heard(false, answer.message);
    } else {
      showAnswer(answer);
    }
  } catch {
    if (question !== asked) return;
    heard(false, 'The node does not answer. What is shown is what it said last; it is asked again.');
  }
  timer = window.setTimeout(() => void look(), EVERY_MS);
}

document.addEventListener('visibilitychange', () => {
  if (part('node').hidden) return;
  if (document.hidden) window.clearTimeout(timer);
  else void look();
});

function queryText(): string {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE), order: chosenOrder.value });
  const [text, after] = [search.value.trim(), pages.at(-1)];
  if (chosenState.value !== '') query.set('state', chosenState.value);
  if (text !== '') query.set('search', text);
  if (after !== undefined) query.set('after', after);
  return query.toString();
}

/** Only trouble is said aloud: the time changes all the while. */
function heard(isGood: boolean, text: string): void {
  show(part('heard'), isGood ? text : '');
  show(part('trouble'), isGood ? '' : text);
}

function showAnswer(answer: StatusAnswer): void {
  const { node, gateways, matching } = answer;
  heard(true, `As of ${new Date(node.now).toLocaleTimeString('en-GB')}, by the node's clock`);
  document.title = `${node.gateways.forked > 0 ? '✗ ' : node.gateways.silent > 0 ? '◔ ' : ''}${node.name} · Vitalgate`;
  show(part('name'), node.name);
  showNotices(node);
  showNode(node);
  showOutputs(node);
  table.show(gateways);
  next = answer.next;
  const before = pages.length * PAGE_SIZE;
  show(part('page-of'), matching === 0 ? '' : `${count(before + 1)} to ${count(before + gateways.length)} of ${count(matching)}`);
  earlier.disabled = pages.length === 0;
  later.disabled = next === null;
}

function showNotices(node: NodeStatus): void {
  const notices = noticesOf(node);
  showMade(part('notices'), notices, () => notices.map(({ kind, title, text }) => make('div', { class: `notice ${kind}` }, make('strong', {}, title), make('p', {}, text))));
}

function showNode({ fingerprint, version, uptime, startedAt, store, disk, gateways, totals }: NodeStatus): void {
  const failures = Object.entries(totals.failures);
  const refused = failures.reduce((sum, [, each]) => sum + each, 0);
  const cards: readonly (readonly [title: string, figure: string, detail: string])[] = [
    ['Gateways', count(gateways.known), gateways.isRead ? `${count(gateways.current)} current, ${count(gateways.silent)} silent, ${count(gateways.forked)} forked` : 'what is in the store is still being read'],
    ['Blocks taken', count(totals.blocks), `${size(totals.bytes)}, ${many(totals.receipts, 'receipt')} given`],
    ['Not taken', count(totals.gaps + refused), [many(totals.gaps, 'gap'), ...failures.map(([reason, each]) => `${count(each)} ${reasonIn(reason)}`)].join(', ')],
    ['Given beside them', count(totals.payloads), `sealed payloads in ${many(totals.releases, 'release')}`],
    ['Store', store.kind, store.fault === null ? 'working' : `FAILING: ${store.fault}`],
    ['Disk', disk === null ? '–' : size(disk.free), disk === null ? 'not measured yet' : `free; the data folder takes ${size(disk.used)}`],
  ];
  showMade(part('facts'), cards, () => cards.map(([title, figure, detail]) => make('div', { class: 'card' }, make('h3', {}, title), make('p', { class: 'figure' }, figure), make('p', {}, detail))));
  showMade(part('about'), [fingerprint, version, startedAt, span(uptime)], () => [list([['Key', make('code', {}, fingerprint)], ['Version', version], ['Running', `for ${span(uptime)}, since ${instant(startedAt)}`]])]);
}

function showOutputs({ outputs }: NodeStatus): void {
  part('outputs').hidden = outputs.length === 0;
  showMade(part('output-rows'), outputs, () => outputs.map(({ name, kind, state, behind, unit, lastSuccess, lastError }) => {
    const cells = { Kind: kind, State: state, Behind: behind === null ? '–' : `${count(behind)} ${unit}`, 'Took something': instant(lastSuccess), 'Last error': lastError ?? 'none' };
    return make('tr', { 'data-state': state }, make('th', { scope: 'row' }, name), ...Object.entries(cells).map(([label, text]) => make('td', { 'data-label': label }, text)));
  }));
}

async function openDetails(chain: string): Promise<void> {
  const answer = await ask<GatewayView>(`/v1/status/gateways/${chain}`).catch(() => undefined);
  if (answer === undefined || isFailed(answer)) {
    heard(false, answer?.message ?? 'The node does not answer.');
    return;
  }
  await showDetails(answer, async (of, lane) => {
    const head = await ask<Head>(`/v1/chains/${of}/${lane}/head`).catch(() => undefined);
    return head === undefined || isFailed(head) ? undefined : head;
  });
}

function turned(to: readonly string[]): void {
  pages = to;
  void look();
}

earlier.addEventListener('click', () => turned(pages.slice(0, -1)));
later.addEventListener('click', () => turned(next === null ? pages : [...pages, next]));
for (const each of [chosenOrder, chosenState]) each.addEventListener('change', () => turned([]));
search.addEventListener('input', () => turned([]));
part('filter').addEventListener('submit', (event) => event.preventDefault());
part('details-close').addEventListener('click', () => dialog.close());

void begin();
