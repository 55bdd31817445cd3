/**
 * The shapes of the API as JSON Schema: by these requests are judged and answers are written, and of these its description
 * (openapi.json) is made.
 */

import { PHASES } from '../alarm/alarm.ts';
import { KINDS, PRIORITIES } from '../context/finding.ts';
import { ACCESSES } from '../people/access.ts';

export type Schema = Readonly<Record<string, unknown>>;

export const NOTICE = 'Vitalgate is not a certified medical device. It does not replace a monitor, an alarm system or a person.';

type Properties = Readonly<Record<string, Schema>>;

/** All properties are there, and no others. */
export const object = (properties: Properties, optional: readonly string[] = []): Schema =>
  ({ type: 'object', properties, required: Object.keys(properties).filter((name) => !optional.includes(name)), additionalProperties: false });
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
export const text = (description: string): Schema => ({ type: 'string', description });
export const word = (words: readonly string[], description: string): Schema => ({ type: 'string', enum: words, description });
export const whole = (description: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Schema => ({ type: 'integer', minimum, maximum, description });
export const ref = (name: string): Schema => ({ $ref: `${name}#` });
const instant = (description: string): Schema => ({ type: 'string', description: `${description} (ISO 8601, UTC)` });

/** A whole number in an address, which is text there. */
export const digits = (description: string): Schema => ({ type: 'string', pattern: '^(0|[1-9][0-9]{0,14})$', description });

const notice: Schema = { type: 'string', description: 'What this software is not' };

/** An answer that shows alarms or what is known of people. */
export const answer = (properties: Properties, optional: readonly string[] = []): Schema => object({ notice, ...properties }, optional);

const actor = object({ id: text('Name of the person'), role: text('What the person was allowed as') });
const subject = orNull(object({ kind: word(['patient', 'room'], 'What it is'), id: text('Its id') }));

const evidence = orNull({
  ...object({
    condition: text('The condition as the rule writes it'),
    values: list(object({
      measurement: text('What was measured'), value: { type: 'number' }, unit: text('UCUM'),
      limit: { type: 'number', description: 'With what the condition compares it' },
    }, ['limit'])),
    frames: list(whole('Sequence of a message in the journal')),
  }),
  description: 'What decided it: the limit and the data (IEC 60601-1-8 6.12.2)',
});

const alarm: Schema = {
  $id: 'Alarm',
  title: 'Alarm',
  ...object({
    id: whole('Number of the alarm', 1),
    revision: whole('To be named in an answer: it says what its author saw', 1),
    subject,
    rule: text('The rule, as pack/rule; or a technical condition'),
    kind: word(KINDS, 'About a person, or about sensors, links and the gateway (IEC 60601-1-8)'),
    priority: word(PRIORITIES, 'The highest of this episode'),
    phase: word(PHASES, 'Where it is in its life'),
    message: text('What is wrong, for people'),
    evidence,
    count: whole('How often it was raised in this episode', 1),
    raisedAt: instant('When it was raised first'),
    told: orNull(object({ level: whole('Which level was told last', 1), levels: whole('Of how many', 1), people: list(text('Name')), at: instant('When') })),
    next: orNull(object({
      what: text('What happens when nobody does anything: delay_over, escalated, told_again, realarm, snooze_ended, hold_over or episode_over'),
      at: orNull(instant('When; null: when quiet hours end')),
      level: whole('The level that is told then', 1),
      people: list(text('Name')),
    })),
    snooze: orNull(object({ until: instant('When the pause ends'), by: actor })),
    acknowledgedBy: orNull(actor),
  }),
};

const step: Schema = {
  $id: 'Step',
  title: 'Step',
  description: 'One thing that happened to one alarm. Every step is an entry in the chain',
  ...object({
    step: whole('Number among all steps, from 1, without gaps', 1),
    time: instant('When it was derived'),
    alarm: whole('Number of the alarm'),
    revision: whole('Of the alarm after the step'),
    why: text('What happened: raised, repeated, priority_raised, escalated, told_again, acknowledged, snoozed, cleared, refused, …'),
    from: word([...PHASES, 'none'], 'Phase before'),
    to: word([...PHASES, 'none'], 'Phase after'),
    subject,
    rule: orNull(text('The rule')),
    kind: orNull(word(KINDS, 'The kind')),
    priority: orNull(word(PRIORITIES, 'The priority')),
    message: orNull(text('What is wrong, for people')),
    count: orNull(whole('How often it was raised in this episode')),
    evidence,
    told: orNull(object({
      level: whole('The level that was told', 1), levels: whole('Of how many', 1), to: list(text('Name')),
      unobserved: whole('Milliseconds for which it was due with nobody there to tell it'),
    }, ['unobserved'])),
    untold: orNull(text('Why nobody was told')),
    by: orNull(actor),
    refusal: orNull(text('Why the answer of a person was refused')),
  }),
};

const mistakes = list(object({ pack: orNull(whole('Which of the packs given, from 0; null: all together')), line: orNull(whole('Line in its text, from 1', 1)), message: text('What is wrong, and what was expected') }));

const error: Schema = {
  $id: 'Error',
  title: 'Error',
  ...object({
    error: text('A stable word for programs'),
    message: text('What, where, and what was expected, for people'),
    notice,
    alarm: orNull(ref('Alarm')),
    mistakes,
  }, ['notice', 'alarm', 'mistakes']),
};

const subjectView: Schema = {
  $id: 'Subject',
  title: 'Subject',
  ...object({
    subject,
    values: list(object({
      measurement: text('What was measured'), value: { type: 'number' }, unit: text('UCUM'), measuredAt: instant('When'), age: { type: 'number', description: 'Milliseconds' },
      quality: text('good, stale (too old for any rule), or why no alarm rests on it'),
    })),
    activity: orNull(text('What the person does')),
    room: orNull(text('Id of the room the person is in')),
    spo2Scale: { type: 'integer', enum: [1, 2], description: 'Scale of SpO2 for NEWS2; 2 only where a clinician decided so' },
    scores: list(object({
      name: text('Name of the score'), value: orNull({ type: 'number' }),
      parts: { type: 'object', additionalProperties: orNull({ type: 'number' }), description: 'Points by parameter' },
    })),
    baselines: list(object({
      name: text('Such as usual_heart_rate, usual_night_rate, usual_room_minutes, long_room_minutes, usual_night_moves'), value: { type: 'number' }, unit: text('UCUM'),
      days: orNull(whole('On how many days or nights it rests; null: on stays')), meaning: text('What it is'), from: list(text('A measurement that it was learnt from')),
    })),
    withheld: list(text('A measurement that is known, and that the patient does not permit you to see')),
  }),
};

const episode: Schema = {
  $id: 'Episode',
  title: 'Episode',
  description: 'The glass, broken by one person for one patient for a while',
  ...object({
    number: whole('Number of the episode', 1), patient: text('Id of the patient'), by: actor, reason: text('Why'), opened: instant('When'), ends: instant('Until when everything is shown'),
    endedBy: orNull(actor), due: instant('By when somebody else must judge it'), status: word(['open', 'ended', 'overdue', 'reviewed'], 'Where it is'),
    review: orNull(object({ at: instant('When'), by: actor, verdict: word(['justified', 'unjustified'], 'The judgement'), remark: text('Why') })),
  }),
};

const contract: Schema = {
  $id: 'Contract',
  title: 'Contract',
  ...object({
    pack: text('Name of the rule pack'), version: whole('Its version'), description: orNull(text('Whom it is for')), rules: whole('How many rules it has'),
    hash: text('SHA-256, as entries of the chain name it'), by: list(actor), signers: list(text('Public key of somebody who signed it')),
  }),
};

export const session: Schema = object({ person: text('Who this is'), access: word(ACCESSES, 'What they may do'), expires: orNull(instant('When the session ends')) }, ['expires']);

/** Those with a name of their own in the description. */
export const NAMED: readonly Schema[] = [alarm, step, error, subjectView, episode, contract];
