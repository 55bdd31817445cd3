/**
 * What flows are told. One envelope for everything; what is in it stands under the name of its topic. Members may be added within a
 * version of the contract, so whoever reads MUST pass over those it does not know; none is renamed or taken away.
 */

import { z } from 'zod';

/** The version of the contract: it stands in every message and answer. */
export const CONTRACT = 1;

/**
 * `alarm` and `block` come at least once and in their order, each with an id, again until they are acknowledged. `vital`, `room` and
 * `device` are how things are now: whoever reads slowly gets the newest, and is told how many were passed over.
 */
export const TOPICS = ['alarm', 'block', 'vital', 'room', 'device'] as const;
export type Topic = (typeof TOPICS)[number];
export const isTopic = (text: string): text is Topic => TOPICS.some((topic) => topic === text);

const instant = z.string().describe('ISO 8601, UTC');
const subject = z.strictObject({ kind: z.enum(['patient', 'room']), id: z.string() }).describe('Whom or what it is about');
const actor = z.strictObject({ id: z.string(), role: z.string() }).describe('Who did it');
const whole = z.int().nonnegative();

const step = z
  .strictObject({
    step: whole.describe('Number among all steps of the gateway, from 1'),
    time: instant,
    alarm: whole.describe('Number of the alarm'),
    revision: whole.describe('Of the alarm after the step: an answer has to name it'),
    why: z.string().describe('What happened: raised, raised_again, priority_raised, escalated, told_again, rerouted, acknowledged, snoozed, cleared, refused, …'),
    from: z.string().describe('Phase before: none, pending, active, acknowledged, latched, cleared'),
    to: z.string().describe('Phase after'),
    subject: subject.nullable().describe('Null: the gateway itself'),
    rule: z.string().nullable().describe('The rule, as pack/rule; a technical condition; or flow:<name> for what a flow raised'),
    kind: z.enum(['physiological', 'technical']).nullable().describe('About a person, or about sensors, links and the gateway'),
    priority: z.enum(['high', 'medium', 'low']).nullable(),
    message: z.string().nullable().describe('What is wrong, for people'),
    count: whole.nullable().describe('How often it was raised in this episode'),
    evidence: z.looseObject({}).nullable().describe('What decided it: {condition, values: [{measurement, value, unit, limit}], frames}'),
    told: z
      .strictObject({ level: whole, levels: whole, to: z.array(z.string()).describe('Names of people who are to be told now'), unobserved: z.number().optional().describe('Milliseconds for which it was due with nobody there to tell it') })
      .nullable()
      .describe('Who is to be told because of this step; null: nobody'),
    untold: z.string().nullable().describe('Why nobody is told'),
    by: actor.nullable(),
    refusal: z.string().nullable().describe('Why the answer of a person was refused'),
  })
  .describe('One thing that happened to one alarm, as in the chain');

const block = z
  .strictObject({
    event: z.enum(['sealed', 'receipted']).describe('sealed: it is signed and on disk; receipted: hospitals enough have countersigned it'),
    lane: z.enum(['alarm', 'record']),
    height: whole,
    hash: z.string().describe('SHA-256 of the header, hexadecimal'),
    entries: whole.describe('How many entries are in it'),
    time: instant.describe('When it was sealed'),
  })
  .describe('A block of the chain: it names nobody');

const measured = {
  measurement: z.string().describe('Such as spo2, heart_rate, motion'),
  value: z.number(),
  unit: z.string().describe('UCUM'),
  measuredAt: instant,
  device: z.string().nullable().describe('Who measured; null: a person, by hand'),
  doubt: z.string().nullable().describe('Why no alarm rests on it: ongoing, poor_signal, movement, stored, not_real. Null: nothing speaks against it'),
  skipped: whole.describe('Older values of the same kind that were passed over since the last message'),
};

const vital = z.strictObject({ subject, ...measured }).describe('A value that was measured of a patient');
const room = z.strictObject({ subject, ...measured }).describe('A value that was measured in a room');

const device = z
  .strictObject({
    device: z.string(),
    subject: subject.nullable().describe('Whom it measures now; null: nobody'),
    lastSeen: instant.nullable(),
    battery: z.number().nullable().describe('Percent'),
    signal: z.number().nullable().describe('dB'),
    silent: z.array(z.string()).describe('Measurements that should come and do not'),
    notices: z.array(z.string()).describe('What it said of itself: battery_low, sensor_off, offline, …'),
  })
  .describe('A device, when something about it is different');

const envelope = {
  contract: z.literal(CONTRACT),
  id: z.string().describe('The same whenever the message comes again; to be acknowledged for alarm and block'),
  redelivered: z.boolean().describe('It was handed over before and not acknowledged: you may have it already'),
  test: z.boolean().optional().describe('True: made up by a flow to try itself out. The gateway never sends it; what is asked because of it has to be a dry run, and who is told has to be told that it is a test'),
};

/** A message, as it stands in the data of an event `message`. */
export const messageSchema = z.discriminatedUnion('topic', [
  z.strictObject({ ...envelope, topic: z.literal('alarm'), alarm: step }),
  z.strictObject({ ...envelope, topic: z.literal('block'), block }),
  z.strictObject({ ...envelope, topic: z.literal('vital'), vital }),
  z.strictObject({ ...envelope, topic: z.literal('room'), room }),
  z.strictObject({ ...envelope, topic: z.literal('device'), device }),
]);

type Deep<T> = T extends readonly (infer Item)[] ? readonly Deep<Item>[] : T extends object ? { readonly [Key in keyof T]: Deep<T[Key]> } : T;
export type Message = Deep<z.output<typeof messageSchema>>;
export type MessageOf<T extends Topic> = Extract<Message, { topic: T }>;
