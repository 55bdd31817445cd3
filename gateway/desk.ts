import { setTimeout as pause } from 'node:timers/promises';
import type { AlarmFeed } from './alarm-feed.ts';
import type { StepView } from './alarm-views.ts';
import { parsePack } from './config/pack.ts';
import type { ConsentDesk } from './consent-desk.ts';
import { pageFor, whoLivesIn } from './consent-filter.ts';
import { mistakesIn, type Contract } from './context/contract.ts';
import { readContracts } from './context/read-contracts.ts';
import type { Actor, OperatorAction } from './decode/operator.ts';
import { isSignatureOf, readContractSignature } from './derive/contract-signature.ts';
import { hashOfContract, type Orders } from './derive/orders.ts';
import { ConfigError, DecodeError, InternalError, StoreError } from './errors.ts';
import { Minutes, Seconds, type Millis, type UnixMillis } from './quantity.ts';
import type { Subject } from './reading.ts';
import type { Activation, Answer, AnswerOutcome, CareDesk, ContractInForce, ContractSignature, GlassDesk, Onlooker, PackMistake, Page, SubjectView } from './web/care-desk.ts';

export type DeskOptions = Readonly<{
  alarms: AlarmFeed;
  /** Resolves when they are derived and committed, and `alarms` and `orders` know. */
  carryOut: (actions: readonly OperatorAction[]) => Promise<void>;
  orders: () => Orders;
  /** Patients that a device measures. */
  measured: () => readonly string[];
  view: (subject: Subject) => Promise<SubjectView | undefined>;
  consent: Pick<ConsentDesk, 'decide'>;
  glass: GlassDesk;
  disclose: CareDesk['disclose'];
  handles: Readonly<{ of: (subject: Subject) => string; subjectOf: (handle: string) => Subject | undefined }>;
  /** The configuration names the packs: what people activate would last until it is read again. */
  packsAreConfigured: () => boolean;
  now: () => UnixMillis;
  /** How long a decision may take from the journal to the answer. Default 15 s. */
  patience?: Millis;
}>;

/** Whoever asks for the same pause again within this time asks for the same one. */
const SAME_PAUSE = Minutes(1);
const STEPS_OF_ONE_ANSWER = 1000;

/** What people do, written into the journal and answered when it is committed. */
export class Desk implements CareDesk {
  readonly alarms: AlarmFeed;
  readonly glass: GlassDesk;
  readonly #options: DeskOptions;
  #lastAnswer: Promise<unknown> = Promise.resolve();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.alarms = options.alarms;
    this.glass = options.glass;
  }

  /** One after the other, so that what happens next to the alarm is the answer's doing. */
  answer(answer: Answer): Promise<AnswerOutcome> {
    const answered = this.#lastAnswer.then(() => this.#answer(answer));
    this.#lastAnswer = answered.catch(() => undefined);
    return answered;
  }

  async #answer(answer: Answer): Promise<AnswerOutcome> {
    const repeated = await this.#takenBefore(answer);
    if (repeated !== undefined) return { taken: true, step: repeated, alarm: this.alarms.alarm(answer.alarm) };
    const before = this.alarms.lastStep;
    await this.#carryOut(answer);
    const steps = await this.alarms.after(before, STEPS_OF_ONE_ANSWER);
    const step = steps.find(({ alarm, by, why }) => alarm === answer.alarm && by?.id === answer.by.id && (why === WHY[answer.type] || why === 'refused'));
    if (step === undefined) throw new InternalError(`the answer to alarm ${answer.alarm} led to no step`);
    const alarm = this.alarms.alarm(answer.alarm);
    return step.refusal === null ? { taken: true, step, alarm } : { taken: false, refusal: step.refusal, alarm };
  }

  /** The step of this very answer, if it was taken already: whoever did not hear of it asks again. */
  async #takenBefore(answer: Answer): Promise<StepView | undefined> {
    const alarm = this.alarms.alarm(answer.alarm);
    const isOpen = alarm !== undefined && (alarm.phase === 'active' || alarm.phase === 'latched') && alarm.revision === answer.revision && alarm.snooze === null;
    if (isOpen) return undefined;
    const { steps } = await this.alarms.ofAlarm(answer.alarm);
    const step = steps.findLast(({ why, by, revision }) => why === WHY[answer.type] && by?.id === answer.by.id && revision === answer.revision);
    if (step === undefined || answer.type === 'acknowledge') return step;
    const since = Date.parse(step.time);
    const covered = alarm?.snooze?.by.id === answer.by.id && Date.parse(alarm.snooze.until) - since >= answer.time - 1000;
    return covered && this.#options.now() - since < SAME_PAUSE ? step : undefined;
  }

  /** Has something derived, and resolves when it is committed. Throws StoreError when that takes too long. */
  async carryOut(action: OperatorAction): Promise<void> {
    await this.#carryOut(action);
  }

  /** What is in the journal is derived some time; but nobody should wait for that without an answer. */
  async #carryOut(action: OperatorAction): Promise<void> {
    const { carryOut, patience = Seconds(15) } = this.#options;
    const outOfPatience = new AbortController();
    const late = pause(patience, undefined, { signal: outOfPatience.signal }).then(() => {
      throw new StoreError('VG_STORE_WRITE', 'a decision is in the journal, but derivation does not come to it');
    });
    try {
      await Promise.race([carryOut([action]), late]);
    } finally {
      outOfPatience.abort();
      late.catch(() => undefined);
    }
  }

  async patients(): Promise<readonly string[]> {
    const { orders, measured } = this.#options;
    return [...new Set([...orders().patients.map(({ id }) => id), ...measured()])].toSorted((a, b) => a.localeCompare(b));
  }

  whoLivesIn(room: string): readonly string[] {
    return whoLivesIn(this.#options.orders().patients, room);
  }

  handleOf(patient: string): string {
    return this.#options.handles.of({ kind: 'patient', id: patient });
  }

  async patientOf(handle: string): Promise<string | undefined> {
    const { handles } = this.#options;
    if (handles.subjectOf(handle) === undefined) for (const id of await this.patients()) this.handleOf(id);
    const subject = handles.subjectOf(handle);
    return subject?.kind === 'patient' ? subject.id : undefined;
  }

  async view(subject: Subject): Promise<SubjectView | undefined> {
    return await this.#options.view(subject);
  }

  async pageFor(patient: string, onlooker: Onlooker): Promise<Page | undefined> {
    const view = await this.view({ kind: 'patient', id: patient });
    return view === undefined ? undefined : pageFor(view, onlooker, this.#options.consent);
  }

  async disclose(...shown: Parameters<CareDesk['disclose']>): Promise<void> {
    await this.#options.disclose(...shown);
  }

  async observe(patient: string, values: Readonly<Record<string, number>>, by: Actor, ask?: string): Promise<void> {
    await this.#carryOut({ type: 'observe', patient, values, by, ...(ask === undefined ? {} : { ask }) });
  }

  async wantWaveform(patient: string, measurement: string, time: Millis, by: Actor): Promise<void> {
    await this.#carryOut({ type: 'waveform', patient, measurement, time, by });
  }

  async prescribe(patient: string, spo2Scale: 1 | 2, by: Actor): Promise<void> {
    await this.#carryOut({ type: 'prescribe', patient, spo2Scale, by });
  }

  async contracts(): Promise<readonly ContractInForce[]> {
    return this.#options.orders().contracts.map(({ contract: { pack, version, description = null, rules }, hash, by, signers }) => ({ pack, version, description, rules: rules.length, hash, by, signers }));
  }

  async activate(packs: readonly string[], signatures: readonly ContractSignature[], by: Actor): Promise<Activation> {
    if (this.#options.packsAreConfigured()) return { configured: true };
    const judged = packs.map(judgePack);
    const mistakes = judged.flatMap((each) => ('mistakes' in each ? each.mistakes : []));
    if (mistakes.length > 0) return { mistakes };
    const contracts = judged.flatMap((each) => ('contract' in each ? [each.contract] : []));
    const mistake = mistakeOfAll(contracts, signatures);
    if (mistake !== undefined) return { mistakes: [{ pack: null, line: null, message: mistake }] };
    await this.#carryOut({ type: 'contracts', packs: contracts, by: [by], signatures });
    return { activated: await this.contracts() };
  }
}

const WHY = { acknowledge: 'acknowledged', snooze: 'snoozed' } as const;

function judgePack(text: string, pack: number): Readonly<{ contract: Contract } | { mistakes: readonly PackMistake[] }> {
  try {
    return { contract: parsePack(text, 'pack', { mistakesIn }) };
  } catch (error) {
    if (error instanceof ConfigError) return { mistakes: mistakesOf(error.message, pack) };
    throw error;
  }
}

/** What is wrong with packs that are good one by one. */
function mistakeOfAll(contracts: readonly Contract[], signatures: readonly ContractSignature[]): string | undefined {
  try {
    const hashes = new Set(readContracts(contracts).map(hashOfContract));
    if (!signatures.every(({ contract }) => hashes.has(contract))) return 'a signature is for none of these packs: one was changed after it was signed';
    return signatures.every((each) => readContractSignature(each) !== undefined && isSignatureOf(each)) ? undefined : 'a signature is not good';
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}

/** From the lines `pack:line:column: message` (config/problems.ts). */
function mistakesOf(told: string, pack: number): readonly PackMistake[] {
  const found = [...told.matchAll(/^ *pack:(\d+):\d+: (.*)$/gm)].map(([, line, message = '']) => ({ pack, line: Number(line), message }));
  return found.length > 0 ? found : [{ pack, line: null, message: told }];
}
