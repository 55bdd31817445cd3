import { writeFileSync } from 'node:fs';
import { ConfigError, UsageError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { signChange, signersAmong, withSignatures, type SignedChange } from '../ledger/change.ts';
import { formatChange } from '../ledger/change-file.ts';
import { type SigningKey, signingKeyFrom, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import type { ChainState } from '../ledger/state.ts';
import { ChangeRejected, judgeChange } from '../ledger/succession.ts';
import { keyFilesIn } from '../key-files.ts';
import { secretIn } from '../operations/data-folder.ts';
import { Minutes, UnixMillis } from '../quantity.ts';
import { LANES } from '../reading.ts';
import { copiesOf, wordsOf, type ProposalOrder } from '../succession-desk.ts';
import { promise, takeBack } from '../upstream/promises.ts';
import { administer } from './administer.ts';
import { inWords, signerInWords } from './authority-words.ts';
import { listOf, numberOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS, STORE_OPTIONS, upstreamConfig } from './settings.ts';
import { deliver, textIn } from './text-files.ts';

const DAY = 24 * 60;

export const authorityCommand: Command = {
  name: 'authority',
  summary: 'Changes who speaks for the chain: hospitals join or leave, or name another gateway key.',
  usage: [
    'authority show [FILE]', 'authority propose membership [--join NAME=KEY,…] [--leave NAME,…] [--quorum K] [--out FILE]', 'authority propose replacement [--out FILE]',
    'authority sign FILE (--yes | --take-back) [--out FILE]     on a hospital\'s machine', 'authority apply FILE…', 'authority withdraw',
  ],
  details: `A change is a text file that is passed from hand to hand: the gateway proposes it, the hospitals in force sign it (as many as the quorum says,
in any order, on one copy or several), the gateway applies it. It counts from the block after the one that carries it. A hospital that is to join has to
be in the configuration first (joining: true), so that it has the whole chain when its receipts begin to count.
A replacement is for a key that is lost or stolen. Proposing it ends sealing; devices are acknowledged and alarms raised as ever, and what
is recorded waits. Hospitals sign it when they have exactly the blocks it names, and take no block of the old key after that, until it expires or
"sign FILE --take-back". "sign" reads the hospital's data folder, also while its node runs.`,
  options: {
    ...CONFIG_OPTIONS,
    ...STORE_OPTIONS,
    join: { type: 'string', value: 'NAME=KEY,…', help: 'Hospitals that join, with their public keys ("vitalgate upstream --print-key")' },
    leave: { type: 'string', value: 'NAME,…', help: 'Hospitals that leave' },
    quorum: { type: 'string', value: 'K', help: 'How many of the hospitals must countersign from then on (default: the smallest majority)' },
    expires: { type: 'string', value: 'DAYS', help: 'How long the change may take until it is in the chain, in days (default: 30)' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'The file to write (default: standard output; sign: FILE itself)' },
    yes: { type: 'boolean', help: 'sign: what the change says is read and meant' },
    'take-back': { type: 'boolean', help: 'sign: the replacement that was signed is not to come: take blocks of the old key again' },
  },
  run: async (args, environment) => {
    const [what, ...files] = args.positionals;
    switch (what) {
      case 'show': return await show(files, args, environment);
      case 'propose': return await propose(files, args, environment);
      case 'sign': return await sign(files, args, environment);
      case 'apply': return tell(await administer(args, environment, (api) => api.applyChange(named(files).map(textIn))), environment);
      case 'withdraw': return tell(await administer(args, environment, (api) => api.forgoReplacement()), environment);
      case undefined:
      default: throw new UsageError(`authority ${what ?? ''}: expected show, propose, sign, apply or withdraw`);
    }
  },
};

function tell(view: Parameters<typeof inWords>[0], { out }: Environment): number {
  for (const line of inWords(view)) out(line);
  return 0;
}

async function show(files: readonly string[], args: Arguments, environment: Environment): Promise<number> {
  if (files.length === 0) return tell(await administer(args, environment, (api) => api.authority()), environment);
  const signed = copiesOf(files.map(textIn));
  for (const word of wordsOf(signed.change)) environment.out(word);
  const good = signersAmong(signed, signed.signatures.map(({ key }) => key), verifyWithNodeCrypto);
  environment.out(good.length === 0 ? 'nobody has signed it' : `signed by ${good.map((key) => signerInWords(key, nameIn(signed, key))).join(', ')}`);
  return 0;
}

function nameIn({ change }: SignedChange, key: Uint8Array): string | undefined {
  const hex = toHex(key);
  if (change.type !== 'membership' && toHex(change.gateway) === hex) return 'the new gateway key';
  return change.type === 'rotation' ? undefined : change.hospitals.find((each) => toHex(each.key) === hex)?.name;
}

async function propose([type, ...more]: readonly string[], args: Arguments, environment: Environment): Promise<number> {
  if ((type !== 'membership' && type !== 'replacement') || more.length > 0) throw new UsageError('authority propose: expected membership or replacement');
  const expires = Minutes(numberOf(args, 'expires', 30) * DAY);
  const { text, words } = await administer(args, environment, (api) => api.proposeChange(type === 'replacement' ? { type, expires } : membershipIn(args, expires)));
  deliver(text, textOf(args, 'out'), environment);
  for (const word of words) environment.err(word);
  environment.err('pass the file to the hospitals: "vitalgate authority sign FILE --yes"; then "vitalgate authority apply FILE…" here');
  return 0;
}

function membershipIn(args: Arguments, expires: ProposalOrder['expires']): ProposalOrder {
  const join = listOf(args, 'join').map((each) => {
    const [, name, key] = /^(.+)=(0[23][0-9a-f]{64})$/.exec(each) ?? [];
    if (name === undefined || key === undefined) throw new UsageError(`--join takes NAME=KEY with a key of 66 hexadecimal digits, got "${each}"`);
    return { name, key };
  });
  const leave = listOf(args, 'leave');
  const quorum = textOf(args, 'quorum') === undefined ? undefined : numberOf(args, 'quorum', 1);
  if (join.length === 0 && leave.length === 0 && quorum === undefined) throw new UsageError('say what is to change: --join, --leave or --quorum');
  return { type: 'membership', join, leave, quorum, expires };
}

function named(files: readonly string[]): readonly string[] {
  if (files.length === 0) throw new UsageError('give the file of the change');
  return files;
}

/** Signs with the key of the hospital whose data folder this is, when what the change says agrees with what is recorded there. */
async function sign(files: readonly string[], args: Arguments, environment: Environment): Promise<number> {
  const [file, ...more] = files;
  if (file === undefined || more.length > 0) throw new UsageError('authority sign takes one file');
  const signed = copiesOf([textIn(file)]);
  const { data, store, durability } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
  if (args.values['take-back'] === true) {
    takeBack(data, signed.change.chain);
    environment.err('blocks of the old key are taken again; the signature that was given stays good until it expires');
    return 0;
  }
  const key = hospitalKeyIn(data);
  const { blocks, close } = await environment.openBlocks(data, { readOnly: true, store, durability });
  try {
    const lanes = await Promise.all(LANES.map((lane) => headOf(blocks, signed, lane)));
    for (const head of lanes) refuseWhatContradicts(signed, head, key);
    for (const word of wordsOf(signed.change, lanes[0]?.authority)) environment.err(word);
  } finally {
    await close();
  }
  if (args.values['yes'] !== true) throw new UsageError('nothing is signed yet; say --yes when this is meant');
  if (signed.change.type === 'replacement') promise(data, signed);
  const text = formatChange(withSignatures(signed, [signChange(signed, key)]), wordsOf(signed.change));
  const out = textOf(args, 'out');
  if (out === undefined) writeFileSync(file, text);
  else deliver(text, out, environment);
  environment.err(`signed with key ${toHex(key.publicKey)}`);
  return 0;
}

async function headOf(blocks: BlockStore, { change }: SignedChange, lane: ChainState['lane']): Promise<ChainState> {
  const head = await blocks.head({ chain: change.chain, lane });
  if (head === undefined) throw new UsageError(`there is no lane ${lane} of chain ${toHex(change.chain)} here: a hospital signs changes of chains that it keeps`);
  return head;
}

function refuseWhatContradicts(signed: SignedChange, head: ChainState, key: SigningKey): void {
  const { change } = signed;
  if (!head.authority.hospitals.some((each) => toHex(each.key) === toHex(key.publicKey))) throw new UsageError('this hospital does not countersign that chain now, so its signature would count for nothing');
  try {
    judgeChange({ ...head, time: UnixMillis(Date.now()) }, signed, verifyWithNodeCrypto);
  } catch (error) {
    if (!(error instanceof ChangeRejected)) throw error;
    if (error.reason !== 'change_unsigned') throw new UsageError(`${error.reason}: ${error.message}`, { cause: error });
  }
  if (change.type !== 'replacement') return;
  const [claimed, here] = [change.last[head.lane], head.height];
  if (claimed > here) throw new UsageError(`the replacement counts blocks of the old key up to ${claimed} of lane ${head.lane}, and only ${here} is here: wait until the gateway has relayed them, or ask whose they are`);
  if (claimed < here) throw new UsageError(`blocks up to ${here} of lane ${head.lane} are countersigned here, and the replacement ends at ${claimed}: the gateway has lost some, or somebody else has the key`);
}

function hospitalKeyIn(folder: string): SigningKey {
  const files = keyFilesIn(folder, { sealsPlain: false });
  const name = 'hospital.key';
  if (files.read(name) === undefined) throw new ConfigError(`${files.pathOf(name)} is not there: run this on the hospital's machine, with its --config or --data`);
  return signingKeyFrom(secretIn(files, name, () => new Uint8Array()).secret);
}
