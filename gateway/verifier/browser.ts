/** The page (page.ts): files are dropped or chosen, read here, and go nowhere. */

import { readBlocks } from '../ledger/chain-file.ts';
import { verifyWithNoble } from '../ledger/es256k.ts';
import { parsePolicy, PolicyRejected, type Policy } from '../ledger/policy.ts';
import { kindOf, textIn, type FileKind } from './files.ts';
import { judgeChain, judgeFork, judgeProof, judgeReceipt, type Judgement } from './judgement.ts';
import { verifyEd25519 } from './web-crypto.ts';

type Dropped = Readonly<{ name: string; bytes: Uint8Array; kind: FileKind | undefined }>;

const CHECKS = { es256k: verifyWithNoble, ed25519: verifyEd25519 };
const LARGEST = 512 * 1024 * 1024;

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

const [policyText, chooser, drop, results, policyState] = [
  element('policy') as HTMLTextAreaElement, element('files') as HTMLInputElement, element('drop'), element('results'), element('policy-state'),
];

/** What was dropped last, to be judged again when the policy changes. */
let dropped: readonly Dropped[] = [];

policyText.addEventListener('input', () => void judgeAll());
chooser.addEventListener('change', () => void take([...(chooser.files ?? [])]));
for (const name of ['dragenter', 'dragover']) drop.addEventListener(name, (event) => highlight(event, true));
for (const name of ['dragleave', 'drop']) drop.addEventListener(name, (event) => highlight(event, false));
drop.addEventListener('drop', (event) => void take([...(event.dataTransfer?.files ?? [])]));
// A file that misses the target must not replace the page.
for (const name of ['dragover', 'drop']) window.addEventListener(name, (event) => event.preventDefault());

function highlight(event: Event, on: boolean): void {
  event.preventDefault();
  drop.classList.toggle('over', on);
}

async function take(files: readonly File[]): Promise<void> {
  if (files.length === 0) return;
  results.replaceChildren(paragraph('reading…'));
  const read = await Promise.all(files.map(async (file): Promise<Dropped> => {
    if (file.size > LARGEST) return { name: file.name, bytes: new Uint8Array(), kind: undefined };
    const bytes = new Uint8Array(await file.arrayBuffer());
    return { name: file.name, bytes, kind: await kindOf(bytes) };
  }));
  const policy = read.find(({ kind }) => kind === 'policy');
  if (policy !== undefined) policyText.value = textIn(policy.bytes) ?? '';
  // Whoever drops the policy after the proof, or the entry after its receipt, means what is there already, too.
  const isAddition = read.every(({ kind }) => kind === 'policy' || kind === 'entry');
  dropped = [...(isAddition ? dropped.filter(({ kind }) => kind !== 'entry' || !read.some((each) => each.kind === 'entry')) : []), ...read.filter(({ kind }) => kind !== 'policy')];
  await judgeAll();
  chooser.value = '';
}

async function judgeAll(): Promise<void> {
  const policy = currentPolicy();
  const entry = dropped.find(({ kind }) => kind === 'entry');
  const judged = dropped.filter(({ kind }) => kind !== 'entry' || dropped.length === 1);
  const sections = await Promise.all(judged.map(async (file) => section(file.name, await judge(file, policy, entry?.bytes))));
  results.replaceChildren(...sections);
}

/** Undefined while there is none, or it has a mistake. */
function currentPolicy(): Policy | undefined {
  const text = policyText.value.trim();
  policyState.textContent = 'Whom do you believe? Paste the policy that the other side gave you by a way you trust, or drop its file.';
  policyState.className = '';
  if (text === '') return undefined;
  try {
    const policy = parsePolicy(`${text}\n`);
    const { quorum, logs, witnesses } = policy;
    policyState.textContent = `You believe ${logs.length} keys of gateways${quorum === undefined ? ', and ask nobody to have countersigned' : `, if enough of ${witnesses.map(({ name }) => name).join(', ')} have countersigned`}.`;
    return policy;
  } catch (error) {
    if (!(error instanceof PolicyRejected)) throw error;
    policyState.textContent = `The policy has a mistake: ${error.message}`;
    policyState.className = 'bad';
    return undefined;
  }
}

type Shown = Judgement | Readonly<{ outcome: 'unclear'; lines: readonly string[] }>;
const unclear = (sentence: string): Shown => ({ outcome: 'unclear', lines: [sentence] });

async function judge({ bytes, kind }: Dropped, policy: Policy | undefined, entry: Uint8Array | undefined): Promise<Shown> {
  if (kind === undefined) return unclear('This is none of the files that this page checks: a proof (.tlog-proof), a COSE receipt with its entry, the evidence of a fork, or a chain (.chain).');
  if (kind === 'entry') return unclear('This is an entry. Drop its proof or its receipt, too.');
  if (kind === 'chain') {
    const judgement = await judgeChain(readBlocks(bytes), policy, CHECKS.es256k);
    return policy === undefined && judgement.outcome === 'good' ? unclear(`Whole in itself: ${judgement.lines[0]}. Whose it is, only a policy tells.`) : judgement;
  }
  if (policy === undefined) return unclear('A policy is missing: without one, nobody can say whose signatures these are.');
  switch (kind) {
    case 'proof': return judgeProof(textIn(bytes) ?? '', policy, CHECKS, entry);
    case 'fork': return await judgeFork(bytes, policy, CHECKS.es256k);
    case 'receipt': return entry === undefined ? unclear('This may be a COSE receipt. Drop the entry that it is about, too.') : judgeReceipt(bytes, entry, policy, CHECKS.es256k);
    case 'policy': return unclear('This is a policy.');
  }
}

const WORDS: Readonly<Record<Shown['outcome'], string>> = { good: '✓ Verified', bad: '✗ Not valid', 'not final': '◔ Not final', unclear: '? Not checked' };

function section(name: string, { outcome, lines: [sentence = '', ...details] }: Shown): HTMLElement {
  const found = document.createElement('section');
  found.className = outcome.replace(' ', '-');
  found.dataset['outcome'] = outcome;
  const heading = document.createElement('h2');
  heading.textContent = WORDS[outcome];
  const file = paragraph(name);
  file.className = 'file';
  found.append(heading, file, paragraph(sentence), ...details.map((line) => {
    const pre = document.createElement('pre');
    pre.textContent = line;
    return pre;
  }));
  return found;
}

function paragraph(text: string): HTMLParagraphElement {
  const found = document.createElement('p');
  found.textContent = text;
  return found;
}

void judgeAll();
