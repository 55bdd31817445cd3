/** What flows may do and see: asks judged and carried out, with the rights of the person whose token it is. */

import type { AlarmView } from './alarm-views.ts';
import type { AlarmPolicy, Level } from './alarm/policy.ts';
import { courseOf, EVERYONE, peopleOf } from './alarm/policy.ts';
import { refusalOf } from './alarm/answer.ts';
import { whoLivesIn } from './consent-filter.ts';
import type { ConsentDesk } from './consent-desk.ts';
import { ITEMS } from './consent/data-classes.ts';
import type { Decision } from './consent/decide.ts';
import { implausible } from './context/plausibility.ts';
import type { OperatorAction } from './decode/operator.ts';
import { MEASUREMENTS } from './decode/measurements.ts';
import type { Desk } from './desk.ts';
import type { Ask } from './flows/asks.ts';
import type { Consumers } from './flows/consumers.ts';
import type { AskAnswer, AskRefused, Asker, FlowDesk, FlowLists, FlowView } from './flows/desk.ts';
import type { GatewayFlowSource } from './flow-source.ts';
import type { GatewayNotices } from './gateway-notices.ts';
import { purposeOf, type Access } from './people/access.ts';
import type { Pipeline } from './pipeline.ts';
import { Minutes, Seconds, type Millis } from './quantity.ts';
import { nameOf, type Reading, type Subject } from './reading.ts';

export type GatewayFlowDeskOptions = Readonly<{
  source: GatewayFlowSource;
  consumers: Consumers;
  desk: Desk;
  pipeline: Pick<Pipeline, 'derived'>;
  consent: Pick<ConsentDesk, 'decide'>;
  policy: () => AlarmPolicy;
  notices: Pick<GatewayNotices, 'tell' | 'programs' | 'waysTo'>;
  /** Who may be simulated. */
  testPatients: readonly string[];
  /** IANA name of where the gateway stands. */
  timeZone: string;
  /** Whom the flows of this gateway act as. */
  ownFlows: string;
  /** What somebody may do; undefined for nobody. */
  accessOf: (person: string) => Access | undefined;
  /** Whom alone somebody looks after; undefined: everybody. */
  reachOf: (person: string) => readonly string[] | undefined;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
}>;

/** What a patient permits counts from now on, and what ends by itself soon after. */
const DECIDED_FOR = Seconds(10);

type Actor = Readonly<{ id: string; role: string }>;
const actorOf = ({ person, access }: Asker): Actor => ({ id: person, role: access });
/** Who asks, and what they call it: by both a repetition is known, however long ago the first was. */
const askedBy = ({ id }: Ask, asker: Asker): Readonly<{ by: Actor; ask?: string }> => ({ by: actorOf(asker), ...(id === undefined ? {} : { ask: id }) });

export class GatewayFlowDesk implements FlowDesk {
  readonly source: GatewayFlowSource;
  readonly consumers: Consumers;
  readonly #options: GatewayFlowDeskOptions;

  constructor(options: GatewayFlowDeskOptions) {
    this.#options = options;
    this.source = options.source;
    this.consumers = options.consumers;
  }

  liveAlarms(asker: Asker): readonly AlarmView[] {
    const view = this.viewFor(asker);
    return Object.values(this.#options.desk.alarms.lists()).flat().filter(({ subject }) => view.maySee(subject));
  }

  viewFor(asker: Asker): FlowView {
    const { desk, reachOf } = this.#options;
    const permits = this.#permitsFor(asker);
    return {
      maySee: (subject) => {
        const reach = reachOf(asker.person);
        if (reach === undefined || subject === null) return true;
        const whose = subject.kind === 'patient' ? [subject.id] : desk.whoLivesIn(subject.id);
        return whose.some((patient) => reach.includes(patient));
      },
      maySeeValue: permits,
      disclose: async (subjects, what) => {
        const each = new Map(subjects.map((subject) => [nameOf(subject), { subject }]));
        if (each.size > 0) await desk.disclose(actorOf(asker), [...each.values()], what);
      },
    };
  }

  /** What everybody whose value it is permits. */
  #permitsFor({ person, access }: Asker): FlowView['maySeeValue'] {
    const { consent, pipeline, uptime } = this.#options;
    const decided = new Map<string, Readonly<{ by: unknown; at: Millis; decision: Decision }>>();
    const decisionFor = (patient: string): Decision => {
      const known = decided.get(patient);
      if (known !== undefined && known.by === pipeline.derived.consent && uptime() - known.at < DECIDED_FOR) return known.decision;
      const decision = consent.decide({ patient, recipient: { person, role: access }, purpose: purposeOf(access) });
      decided.set(patient, { by: pipeline.derived.consent, at: uptime(), decision });
      return decision;
    };
    return (subject, measurement) => {
      const whose = subject.kind === 'patient' ? [subject.id] : whoLivesIn(pipeline.derived.orders.patients, subject.id);
      return whose.map(decisionFor).every(({ decision, what }) => decision !== 'deny' && (!ITEMS.includes(measurement) || what[measurement] === 'full' || what[measurement] === 'summary'));
    };
  }

  async lists(asker: Asker): Promise<FlowLists> {
    const { desk, pipeline, policy, notices, testPatients, timeZone } = this.#options;
    const view = this.viewFor(asker);
    const { derived } = pipeline;
    const patients = (await desk.patients()).filter((id) => view.maySee({ kind: 'patient', id }));
    const bound = [...derived.bindings].map(([device, bindings]) => ({ device, subject: bindings.at(-1)?.subject ?? null })).filter(({ subject }) => view.maySee(subject));
    const rooms = new Set([
      ...derived.orders.patients.filter(({ id }) => patients.includes(id)).flatMap((patient) => patient.rooms.map(({ room }) => room)),
      ...bound.flatMap(({ subject }) => (subject?.kind === 'room' ? [subject.id] : [])),
    ]);
    return {
      patients,
      rooms: [...rooms].toSorted(),
      devices: bound.map(({ device }) => device).toSorted(),
      people: policy().people.map(({ name, roles }) => ({ name, roles, ways: notices.waysTo(name) })),
      commands: notices.programs,
      measurements: [...MEASUREMENTS].map(([name, { unit }]) => ({ name, unit })),
      timeZone,
      testPatients: testPatients.filter((id) => view.maySee({ kind: 'patient', id })),
    };
  }

  async ask(ask: Ask, asker: Asker): Promise<AskAnswer> {
    const answer = await this.#answered(ask, asker);
    return ask.dryRun === true && 'done' in answer ? { done: { dryRun: true, by: asker.person, ...answer.done } } : answer;
  }

  async #answered(ask: Ask, asker: Asker): Promise<AskAnswer> {
    switch (ask.ask) {
      case 'raise':
        return await this.#raise(ask, asker);
      case 'clear':
        return await this.#clear(ask, asker);
      case 'acknowledge':
        return await this.#answer(ask, asker, { type: 'acknowledge' });
      case 'snooze':
        return await this.#answer(ask, asker, { type: 'snooze', time: Minutes(ask.minutes) });
      case 'escalate':
        return await this.#escalate(ask, asker);
      case 'note':
        return (await this.#unknown(ask.subject, asker)) ?? (await this.#carriedOut({ type: 'note', subject: ask.subject, text: ask.text, ...askedBy(ask, asker) }, ask));
      case 'context':
        return await this.#contextFor(ask, asker);
      case 'simulate':
        return await this.#simulate(ask, asker);
      case 'notified':
        return await this.#notified(ask, asker);
      case 'tell':
        return await this.#tell(ask, asker);
    }
  }

  async #carriedOut(action: OperatorAction, { dryRun }: Pick<Ask, 'dryRun'>): Promise<AskAnswer> {
    if (dryRun !== true) await this.#options.desk.carryOut(action);
    return { done: {} };
  }

  async #raise(ask: Extract<Ask, { ask: 'raise' }>, asker: Asker): Promise<AskAnswer> {
    const { subject, name, priority, kind: asked, message, chain, dryRun } = ask;
    const refused = (await this.#unknown(subject, asker)) ?? this.#nobody(chain);
    if (refused !== undefined) return refused;
    const kind = asked ?? (subject?.kind === 'patient' ? 'physiological' : 'technical');
    const levels = chain === undefined ? {} : { levels: chain };
    if (dryRun === true) return { done: { alarm: this.#alarmOf(subject, name), levels: this.#told(courseOf(this.#options.policy(), { kind, priority, ...levels }).levels) } };
    await this.#options.desk.carryOut({ type: 'flow_alarm', subject, name, priority, kind, message, ...levels, ...askedBy(ask, asker) });
    return { done: { alarm: this.#alarmOf(subject, name) } };
  }

  /** Who is told one after the other, by name. */
  #told(levels: readonly Level[]): readonly Readonly<{ people: readonly string[]; within: Millis }>[] {
    return levels.map(({ to, within }) => ({ people: peopleOf(this.#options.policy(), to), within }));
  }

  async #clear(ask: Extract<Ask, { ask: 'clear' }>, asker: Asker): Promise<AskAnswer> {
    const { subject, name, dryRun } = ask;
    const refused = await this.#unknown(subject, asker);
    if (refused !== undefined) return refused;
    const alarm = this.#alarmOf(subject, name);
    if (alarm !== null && alarm.phase !== 'latched' && dryRun !== true) await this.#options.desk.carryOut({ type: 'flow_clear', subject, name, ...askedBy(ask, asker) });
    return { done: { alarm: this.#alarmOf(subject, name) } };
  }

  /** The live alarm of a flow; null when there is none. */
  #alarmOf(subject: Subject | null, name: string): AlarmView | null {
    const about = subject === null ? '' : nameOf(subject);
    const live = Object.values(this.#options.desk.alarms.lists()).flat();
    return live.find((alarm) => alarm.rule === `flow:${name}` && (alarm.subject === null ? '' : nameOf(alarm.subject)) === about) ?? null;
  }

  async #answer({ alarm, revision, dryRun }: Extract<Ask, { ask: 'acknowledge' | 'snooze' }>, asker: Asker, kind: Readonly<{ type: 'acknowledge' } | { type: 'snooze'; time: Millis }>): Promise<AskAnswer> {
    if (alarm === null || revision === null) return { done: { alarm: null } };
    const refused = this.#unseen(alarm, asker);
    if (refused !== undefined) return refused;
    if (dryRun === true) return this.#tried(alarm, { ...kind, revision });
    const outcome = await this.#options.desk.answer({ ...kind, alarm, revision, by: actorOf(asker) });
    if (outcome.taken) return { done: { alarm: outcome.alarm ?? null, step: outcome.step.step } };
    return { kind: outcome.refusal === 'unknown_alarm' ? 'unknown' : 'conflict', refused: outcome.refusal, why: `the answer was not taken: ${outcome.refusal.replaceAll('_', ' ')}${nowAt(outcome.alarm)}` };
  }

  /** What an answer would come to, as the alarm stands. */
  #tried(id: number, answer: Parameters<typeof refusalOf>[0]): AskAnswer {
    const { desk, pipeline: { derived: { alarms } }, policy } = this.#options;
    const refusal = refusalOf(answer, alarms.alarms.find((alarm) => alarm.id === id), alarms.now, policy());
    const alarm = desk.alarms.alarm(id);
    if (refusal === undefined) return { done: { alarm: alarm ?? null } };
    return { kind: refusal === 'unknown_alarm' ? 'unknown' : 'conflict', refused: refusal, why: `the answer would not be taken: ${refusal.replaceAll('_', ' ')}${nowAt(alarm)}` };
  }

  async #escalate({ alarm: id, revision, chain, dryRun }: Extract<Ask, { ask: 'escalate' }>, asker: Asker): Promise<AskAnswer> {
    const { desk } = this.#options;
    const refused = (id === null ? undefined : this.#unseen(id, asker)) ?? this.#nobody(chain);
    if (refused !== undefined) return refused;
    if (id === null || revision === null) return { done: { alarm: null, levels: this.#told(chain) } };
    if (dryRun === true) {
      const answer = this.#tried(id, { type: 'escalate', revision, levels: chain });
      return 'done' in answer ? { done: { ...answer.done, levels: this.#told(chain) } } : answer;
    }
    const before = desk.alarms.lastStep;
    await desk.carryOut({ type: 'escalate', alarm: id, revision, levels: chain, by: actorOf(asker) });
    const step = (await desk.alarms.after(before, STEPS_OF_ONE_ASK)).find(({ alarm, by, why }) => alarm === id && by?.id === asker.person && (why === 'rerouted' || why === 'refused'));
    const alarm = desk.alarms.alarm(id);
    if (step === undefined || step.refusal === null) return { done: { alarm: alarm ?? null, step: step?.step ?? null, changed: step !== undefined } };
    return { kind: step.refusal === 'unknown_alarm' ? 'unknown' : 'conflict', refused: step.refusal, why: `nobody else is told: ${step.refusal.replaceAll('_', ' ')}${nowAt(alarm)}` };
  }

  /** Flows of this gateway may show no more to somebody than that person may see, and what they may see themselves. */
  async #contextFor({ subject, viewer, dryRun }: Extract<Ask, { ask: 'context' }>, asker: Asker): Promise<AskAnswer> {
    if (viewer === undefined) return await this.#context({ subject, dryRun }, asker);
    const { ownFlows, accessOf } = this.#options;
    if (asker.person !== ownFlows) return { kind: 'not_allowed', refused: 'not_allowed', why: 'only flows of the gateway itself know who looks at their pages: leave "viewer" out' };
    const access = accessOf(viewer);
    if (access === undefined) return { kind: 'unknown', refused: 'unknown_person', why: `${JSON.stringify(viewer)} is nobody in alarms.people of the configuration` };
    return (await this.#unknown(subject, asker)) ?? (await this.#context({ subject, dryRun }, { person: viewer, access }));
  }

  async #context({ subject, dryRun }: Pick<Extract<Ask, { ask: 'context' }>, 'subject' | 'dryRun'>, asker: Asker): Promise<AskAnswer> {
    const { desk } = this.#options;
    const refused = await this.#unknown(subject, asker);
    if (refused !== undefined) return refused;
    const view = this.viewFor(asker);
    const alarms = this.liveAlarms(asker).filter((alarm) => alarm.subject !== null && nameOf(alarm.subject) === nameOf(subject));
    if (subject.kind === 'room') {
      if (dryRun === true) return { done: {} };
      const room = await desk.view(subject);
      const values = (room?.values ?? []).filter(({ measurement }) => view.maySeeValue(subject, measurement));
      await view.disclose([subject], 'values');
      return { done: { known: { ...room, subject, values }, alarms } };
    }
    const page = await desk.pageFor(subject.id, { person: asker.person, access: asker.access, purpose: purposeOf(asker.access) });
    if (page === undefined) return unknownSubject(subject);
    if (dryRun !== true) await desk.disclose(actorOf(asker), [page.basis], 'denied' in page ? 'nothing: denied' : 'values');
    if ('denied' in page) return { kind: 'not_allowed', refused: 'not_permitted', why: `the patient does not permit this: ${page.denied}` };
    return { done: dryRun === true ? {} : { known: page.page, alarms } };
  }

  /** As a person would have measured it by hand, so that rules, alarms and flows do what they would do. */
  async #simulate({ id, patient, values, dryRun }: Extract<Ask, { ask: 'simulate' }>, asker: Asker): Promise<AskAnswer> {
    const { desk, testPatients } = this.#options;
    if (!testPatients.includes(patient) || !this.viewFor(asker).maySee({ kind: 'patient', id: patient })) {
      return { kind: 'not_allowed', refused: 'no_test_patient', why: `${JSON.stringify(patient)} is no test patient: flows.testPatients of the configuration names ${testPatients.join(', ') || 'none'}` };
    }
    for (const [measurement, value] of Object.entries(values)) {
      const unit = MEASUREMENTS.get(measurement)?.unit;
      if (unit === undefined) return { kind: 'unknown', refused: 'unknown_measurement', why: `there is no measurement ${JSON.stringify(measurement)}; /api/flows/lists has them` };
      const reading: Reading = { measurement, value, unit };
      const objection = implausible(reading);
      if (objection !== undefined) return { kind: 'conflict', refused: 'implausible', why: objection.message };
    }
    if (dryRun !== true) await desk.observe(patient, values, actorOf(asker), id);
    return { done: { patient, values } };
  }

  async #notified(ask: Extract<Ask, { ask: 'notified' }>, asker: Asker): Promise<AskAnswer> {
    const { alarm, step, person, channel, outcome, detail } = ask;
    const [of] = step < 1 ? [] : await this.#options.desk.alarms.after(step - 1, 1);
    if (of === undefined || of.alarm !== alarm || !this.viewFor(asker).maySee(of.subject)) return { kind: 'unknown', refused: 'unknown_step', why: `there is no step ${step} of alarm ${alarm}` };
    return await this.#carriedOut({ type: 'notified', subject: of.subject, alarm, step, person, channel, outcome, ...(detail === undefined ? {} : { detail }), ...askedBy(ask, asker) }, ask);
  }

  /** Who is not named in the configuration is told nothing, and what is not named there is not run. */
  async #tell({ by, to, title, text, within = TELLING, id, dryRun }: Extract<Ask, { ask: 'tell' }>, { person }: Asker): Promise<AskAnswer> {
    const { notices, policy } = this.#options;
    const isProgram = by === 'buzzer' || by === 'command';
    const names = isProgram ? notices.programs.filter(({ kind }) => kind === by).map(({ name }) => name) : policy().people.map(({ name }) => name);
    if (to === undefined ? !isProgram : !names.includes(to)) {
      const known = names.join(', ') || 'none';
      if (isProgram) return { kind: 'unknown', refused: 'unknown_command', why: `there is no ${by} ${JSON.stringify(to)} in notices.commands of the configuration: there are ${known}` };
      return { kind: 'unknown', refused: 'unknown_person', why: `${to === undefined ? '"to" is missing: it' : JSON.stringify(to)} is nobody in alarms.people of the configuration: there are ${known}` };
    }
    if (dryRun === true) return { done: {} };
    const told = await notices.tell({ by, to, title, text, within, id: id === undefined ? undefined : `${person}\n${id}` });
    return { done: told, mayTryAgain: told.outcome === 'failed' };
  }

  /** Whom nobody knows, and whom this person has nothing to do with, is the same to them. */
  async #unknown(subject: Subject | null, asker: Asker): Promise<AskRefused | undefined> {
    if (subject === null) return undefined;
    const { desk, pipeline } = this.#options;
    if (!this.viewFor(asker).maySee(subject)) return unknownSubject(subject);
    const isRoomOfSomebody = subject.kind === 'room' && whoLivesIn(pipeline.derived.orders.patients, subject.id).length > 0;
    return isRoomOfSomebody || (await desk.view(subject)) !== undefined ? undefined : unknownSubject(subject);
  }

  #unseen(id: number, asker: Asker): AskRefused | undefined {
    const alarm = this.#options.desk.alarms.alarm(id);
    return alarm === undefined || this.viewFor(asker).maySee(alarm.subject) ? undefined : { kind: 'unknown', refused: 'unknown_alarm', why: `there is no alarm ${id} now` };
  }

  /** Why a chain reaches nobody; undefined for one that is good. */
  #nobody(chain: readonly Level[] | undefined): AskRefused | undefined {
    const { people } = this.#options.policy();
    const known = new Set([EVERYONE, ...people.flatMap(({ name, roles }) => [name, ...roles])]);
    const strange = chain?.flatMap(({ to }) => to).find((name) => !known.has(name));
    if (strange === undefined) return undefined;
    return { kind: 'unknown', refused: 'unknown_person', why: `${JSON.stringify(strange)} is nobody and no role in alarms.people of the configuration: there are ${[...known].join(', ')}` };
  }
}

const STEPS_OF_ONE_ASK = 1000;
const TELLING = Seconds(30);
const nowAt = (alarm: AlarmView | undefined): string => (alarm === undefined ? '' : `; it is ${alarm.phase} and at revision ${alarm.revision} now`);
const unknownSubject = (subject: Subject): AskRefused => ({ kind: 'unknown', refused: 'unknown_subject', why: `the gateway knows no ${subject.kind} ${JSON.stringify(subject.id)}; /api/flows/lists has those you may see` });
