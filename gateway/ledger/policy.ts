/**
 * Whom somebody believes (after C2SP tlog-policy), as text, a rule a line, `#` before a comment:
 *
 *     log <key>                                 a lane's own key; as many as there are logs
 *     witness <name> <key>
 *     group <name> <any | all | number> <names of witnesses or groups…>
 *     quorum <name of a witness or a group | none>
 *
 * Names are declared before they are used.
 */

import { VitalgateError } from '../errors.ts';
import { equalBytes, toHex } from './bytes.ts';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { formatNoteKey, parseNoteKey, signedBy, type NoteChecks, type NoteKey } from './note-keys.ts';
import { NoteRejected, parseNote } from './signed-note.ts';

export class PolicyRejected extends VitalgateError {
  readonly code = 'VG_POLICY_REJECTED';
}

type Member = Readonly<{ witness: NoteKey } | { needed: number; members: readonly Member[] }>;

export type Policy = Readonly<{
  logs: readonly NoteKey[];
  witnesses: readonly Readonly<{ name: string; key: NoteKey }>[];
  /** Undefined: nobody has to countersign. */
  quorum: Member | undefined;
}>;

const LONGEST_POLICY = 1024 * 1024;

/** Throws {@link PolicyRejected} with the line that is wrong. */
export function parsePolicy(text: string): Policy {
  if (text.length > LONGEST_POLICY) throw new PolicyRejected(`a policy of ${text.length} characters is over the limit of ${LONGEST_POLICY}`);
  const reading = new PolicyReader();
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*$/, '').trim().split(/\s+/).filter((word) => word !== '');
    if (words.length === 0) continue;
    try {
      reading.take(words);
    } catch (cause) {
      if (cause instanceof NoteRejected || cause instanceof PolicyRejected) throw new PolicyRejected(`line ${index + 1}: ${cause.message}`, { cause });
      throw cause;
    }
  }
  return reading.end();
}

class PolicyReader {
  readonly #logs: NoteKey[] = [];
  readonly #witnesses: { name: string; key: NoteKey }[] = [];
  readonly #named = new Map<string, Member>();
  #quorum: Member | 'none' | undefined;

  take([rule, ...words]: readonly string[]): void {
    switch (rule) {
      case 'log': return this.#takeLog(words);
      case 'witness': return this.#takeWitness(words);
      case 'group': return this.#takeGroup(words);
      case 'quorum': return this.#takeQuorum(words);
      case undefined:
      default: throw new PolicyRejected(`"${rule}" is no rule: expected log, witness, group or quorum`);
    }
  }

  #takeLog([key = '', ...rest]: readonly string[]): void {
    if (rest.length > 0) throw new PolicyRejected('expected: log <key>');
    this.#logs.push(parseNoteKey(key));
  }

  #takeWitness([name = '', key = '', ...rest]: readonly string[]): void {
    if (rest.length > 0) throw new PolicyRejected('expected: witness <name> <key>');
    const witness = parseNoteKey(key);
    // One key under two names would be a quorum of fewer.
    if (this.#witnesses.some((each) => formatNoteKey({ ...each.key, name: '', keyId: 0 }) === formatNoteKey({ ...witness, name: '', keyId: 0 }))) throw new PolicyRejected(`the key of witness ${name} is another witness's, too`);
    this.#witnesses.push({ name, key: witness });
    this.#name(name, { witness });
  }

  #takeGroup([name = '', threshold = '', ...names]: readonly string[]): void {
    const members = names.map((each) => this.#known(each));
    if (members.length === 0 || new Set(names).size < names.length) throw new PolicyRejected('a group has members, each once');
    const needed = threshold === 'any' ? 1 : threshold === 'all' ? members.length : Number(threshold);
    if (!Number.isSafeInteger(needed) || needed < 1 || needed > members.length) throw new PolicyRejected(`"${threshold}" of ${members.length}: expected any, all or a number from 1 to ${members.length}`);
    this.#name(name, { needed, members });
  }

  #takeQuorum([name = '', ...rest]: readonly string[]): void {
    if (this.#quorum !== undefined || rest.length > 0) throw new PolicyRejected('expected one line: quorum <name>');
    this.#quorum = name === 'none' ? 'none' : this.#known(name);
  }

  #known(name: string): Member {
    const member = this.#named.get(name);
    if (member === undefined) throw new PolicyRejected(`nobody is called "${name}" before this line`);
    return member;
  }

  #name(name: string, member: Member): void {
    if (name === '' || name === 'none' || this.#named.has(name)) throw new PolicyRejected(`"${name}" is taken, or no name`);
    this.#named.set(name, member);
  }

  end(): Policy {
    if (this.#logs.length === 0) throw new PolicyRejected('a policy names a log at least');
    if (this.#quorum === undefined) throw new PolicyRejected('a policy says who must countersign: quorum <name>, or quorum none');
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum === 'none' ? undefined : this.#quorum };
  }
}

/** A policy as text. `needed` of all witnesses must countersign; 0: nobody. */
export function formatPolicy({ logs, witnesses, needed }: Readonly<{ logs: readonly NoteKey[]; witnesses: readonly NoteKey[]; needed: number }>): string {
  return [
    ...logs.map((key) => `log ${formatNoteKey(key)}`),
    ...witnesses.map((key) => `witness ${key.name} ${formatNoteKey(key)}`),
    ...(needed === 0 ? ['quorum none'] : [`group hospitals ${needed} ${witnesses.map(({ name }) => name).join(' ')}`, 'quorum hospitals']),
    '',
  ].join('\n');
}

export type JudgedCheckpoint = Readonly<{
  checkpoint: Checkpoint;
  /** Whose countersignatures are good. */
  witnesses: readonly string[];
  /** Whether they are enough. */
  isFinal: boolean;
}>;

/**
 * Judges a note by a policy. Throws {@link NoteRejected}: `malformed`; `bad_signature` when a line of a known key is not good, or none
 * of the log's is there. Lines of unknown keys say nothing.
 */
export function judgeCheckpoint(note: string, policy: Policy, checks: NoteChecks): JudgedCheckpoint {
  const { text, signatures } = parseNote(note);
  const checkpoint = parseCheckpoint(text);
  const holds = (key: NoteKey): boolean => {
    const lines = signatures.filter(({ name, keyId }) => name === key.name && keyId === key.keyId);
    const good = lines.filter(({ signature }) => signedBy(key, signature, text, checkpoint, checks));
    if (good.length < lines.length) throw new NoteRejected('bad_signature', `the signature of ${key.name} is not good`);
    return good.length > 0;
  };
  const logs = policy.logs.filter(({ name }) => name === checkpoint.origin);
  if (logs.length === 0) throw new NoteRejected('bad_signature', `the policy knows no log called ${checkpoint.origin}`);
  if (logs.filter(holds).length === 0) throw new NoteRejected('bad_signature', `${checkpoint.origin} has not signed it`);
  const witnesses = policy.witnesses.filter(({ key }) => holds(key)).map(({ name }) => name);
  const signed = new Set(policy.witnesses.filter(({ name }) => witnesses.includes(name)).map(({ key }) => key));
  return { checkpoint, witnesses, isFinal: policy.quorum === undefined || isMet(policy.quorum, signed) };
}

/** What is different in a lane from what a policy believes, in words; empty when nothing is. Whom nobody asks to countersign is not compared. */
export function differencesFrom({ logs, witnesses }: Policy, origin: string, { gateway, hospitals }: Readonly<{ gateway: Uint8Array; hospitals: readonly Readonly<{ name: string; key: Uint8Array }>[] }>): readonly string[] {
  const own = logs.filter(({ name, kind }) => name === origin && kind === 'header');
  const missing = witnesses.filter(({ key: { kind, publicKey } }) => kind === 'receipt' && !hospitals.some(({ key }) => equalBytes(key, publicKey)));
  return [
    ...(own.length === 0 ? [`the policy knows no gateway of ${origin}`] : []),
    ...(own.length > 0 && !own.some(({ publicKey }) => equalBytes(publicKey, gateway)) ? [`its gateway key is ${toHex(gateway)}, which the policy does not believe`] : []),
    ...missing.map(({ name }) => `the hospital ${name} of the policy is none of its hospitals`),
  ];
}

const isMet = (member: Member, signed: ReadonlySet<NoteKey>): boolean =>
  ('witness' in member ? signed.has(member.witness) : member.members.filter((each) => isMet(each, signed)).length >= member.needed);
