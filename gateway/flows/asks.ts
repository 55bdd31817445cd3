/** What flows may ask, and how it is judged: a mistake is told with its place and what was expected. */

import { z } from 'zod';
import { isDeviceId, isSubjectId } from '../reading.ts';
import { Minutes, parseDuration, Seconds, type Millis } from '../quantity.ts';

const LONGEST_TEXT = 500;
const LONGEST_NOTE = 2000;
const LONGEST_ID = 128;
const LONGEST_NOTICE = 1000;
const LONGEST_TITLE = 120;
/** As in the configuration of alarms; choices of this project. */
const MOST_LEVELS = 10;
const MOST_PEOPLE = 50;
const LONGEST_WITHIN = Minutes(7 * 24 * 60);
/** An ask is answered when it is done; somebody waits. */
const LONGEST_TELLING = Minutes(2);

/** People read it and other programs show it: no control characters, no direction marks. */
const said = (most: number) => z.string({ error: 'expected text' }).refine((text) => text.length > 0 && text.length <= most && !/[^\P{C}\n]/u.test(text), { error: `expected 1 to ${most} characters without control characters` });
const whole = (what: string) => z.int({ error: `expected ${what}, a whole number from 1` }).min(1, { error: `expected ${what}, a whole number from 1` });

const subject = z
  .strictObject({ kind: z.enum(['patient', 'room'], { error: 'expected patient or room' }), id: z.string({ error: 'expected the id of a patient or a room' }).refine(isSubjectId, { error: 'expected an id of 1 to 64 characters without "/" and control characters' }) }, { error: 'expected {"kind": "patient" or "room", "id": …}' })
  .describe('Whom or what it is about');

const alarmName = z.string({ error: 'expected a name' }).refine(isDeviceId, { error: 'expected a name of 1 to 64 of a-z A-Z 0-9 . _ -' }).describe('What your flow calls its alarm. One name and subject have one alarm at a time');

const duration = (most: Millis, expected: string) =>
  z.string({ error: 'expected a duration such as "2min"' }).transform((text, context): Millis => {
    try {
      const time = parseDuration(text);
      if (time >= Seconds(1) && time <= most) return time;
    } catch {
      // Said below, for both.
    }
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });

const within = duration(LONGEST_WITHIN, 'expected a duration from 1s to 7d such as "2min"').describe('How long they have to acknowledge before the next are told; at the last level they again');

const chain = z
  .array(z.strictObject({ to: z.array(said(64), { error: 'expected a list of names' }).min(1, { error: 'expected at least one name or role' }).max(MOST_PEOPLE, { error: `expected at most ${MOST_PEOPLE} names` }).describe('Names and roles of alarms.people, or everyone'), within }), { error: 'expected a list of levels {to, within}' })
  .min(1, { error: 'expected at least one level' })
  .max(MOST_LEVELS, { error: `expected at most ${MOST_LEVELS} levels` })
  .describe('Who is told, one level after the other until somebody acknowledges. The gateway keeps it and its timers');

/** Of an alarm that is not there a dry run may ask, too: nobody raises one to try out what follows. */
const ofAlarm = {
  alarm: whole('the number of an alarm').nullable().describe('Null, in a dry run only: of an alarm that there is not yet'),
  revision: whole('its revision as you saw it').nullable().describe('As alarm'),
};

const common = {
  dryRun: z.boolean({ error: 'expected true or false' }).optional().describe('Checks everything and says what would be done, and does nothing'),
  id: said(LONGEST_ID).optional().describe('Your own number for it. The same id and ask are done once: nothing is raised, cleared, noted or simulated twice, for the last 2000 asks of a person'),
};

export const askSchema = z.discriminatedUnion('ask', [
  z
    .strictObject({
      ...common,
      ask: z.literal('raise'),
      subject: subject.nullable().describe('Null: nobody in particular'),
      name: alarmName,
      priority: z.enum(['high', 'medium', 'low'], { error: 'expected high, medium or low' }),
      kind: z.enum(['physiological', 'technical'], { error: 'expected physiological or technical' }).optional().describe('Default: physiological about a patient, else technical'),
      message: said(LONGEST_TEXT).describe('What is wrong, for people'),
      chain: chain.optional().describe('Default: whom the configuration names'),
    })
    .describe('Raises an alarm. It stays until you clear it'),
  z.strictObject({ ...common, ask: z.literal('clear'), subject: subject.nullable(), name: alarmName }).describe('What a flow raised is over'),
  z.strictObject({ ...common, ask: z.literal('acknowledge'), ...ofAlarm }).describe('Takes an alarm over, as the person the token is of'),
  z
    .strictObject({ ...common, ask: z.literal('snooze'), ...ofAlarm, minutes: whole('minutes of the pause').max(24 * 60, { error: 'expected at most 1440 minutes' }) })
    .describe('Pauses an alarm, for at most as long as the configuration allows'),
  z
    .strictObject({ ...common, ask: z.literal('escalate'), ...ofAlarm, chain })
    .describe('Other people are told of a live alarm, the first at once. Asked again with the same chain it changes nothing, so that a flow that was started again cannot begin anew'),
  z.strictObject({ ...common, ask: z.literal('note'), subject, text: said(LONGEST_NOTE).describe('The remark') }).describe('A remark for the record: an entry of the chain, sealed under the key of its subject'),
  z.strictObject({ ...common, ask: z.literal('context'), subject, viewer: said(64).optional().describe('Who is shown it, where the gateway\'s own flows draw a page: judged with their rights, and noted as shown to them. Default: the person of the token') }).describe('What is known now: values with age and quality, where somebody is and what they do, scores, what is usual for them, live alarms'),
  z
    .strictObject({
      ...common,
      ask: z.literal('simulate'),
      patient: z.string({ error: 'expected the id of a test patient' }).refine(isSubjectId, { error: 'expected the id of a test patient' }).describe('One of flows.testPatients of the configuration; nobody else can be simulated'),
      values: z
        .record(z.string().max(64, { error: 'expected names of measurements' }), z.number({ error: 'expected a number' }), { error: 'expected numbers by measurement' })
        .refine((values) => Object.keys(values).length > 0 && Object.keys(values).length <= 16, { error: 'expected 1 to 16 numbers by measurement' })
        .describe('By measurement, in its own unit'),
    })
    .describe('Values of a test patient, as if they had been measured now'),
  z
    .strictObject({
      ...common,
      ask: z.literal('notified'),
      alarm: whole('the number of an alarm'),
      step: whole('the step that said whom to tell'),
      person: said(64).describe('Who was to be told'),
      channel: said(64).describe('How: email, sms, ntfy, webhook, buzzer, …'),
      outcome: z.enum(['handed_over', 'failed', 'skipped'], { error: 'expected handed_over, failed or skipped' }),
      detail: said(LONGEST_TEXT).optional().describe('What was answered, without anything secret'),
    })
    .describe('What became of an attempt to tell somebody: an entry of the chain'),
  z
    .strictObject({
      ...common,
      ask: z.literal('tell'),
      by: z.enum(['email', 'sms', 'buzzer', 'command'], { error: 'expected email, sms, buzzer or command' }).describe('A way the gateway has itself: mail server, modem, and programs of its configuration'),
      to: said(64).optional().describe('By email and sms: a name of alarms.people, whose address and number the gateway alone knows. Buzzer and command: a name of notices.commands; default: the first'),
      title: said(LONGEST_TITLE).refine((title) => !title.includes('\n'), { error: 'expected one line' }).optional().describe('Subject of a mail. Default: how the text begins'),
      text: said(LONGEST_NOTICE).describe('What is told. Short messages are cut after 459 characters'),
      within: duration(LONGEST_TELLING, 'expected a duration from 1s to 2min such as "30s"').optional().describe('It is given up after so long. Default 30s'),
    })
    .describe('Tells somebody. Answered when it is handed over, or has failed, which is an answer, too: what failed may be asked once more with the same id'),
]).superRefine((ask, context) => {
  if (ask.dryRun === true || !('revision' in ask)) return;
  for (const name of ['alarm', 'revision'] as const) if (ask[name] === null) context.addIssue({ code: 'custom', path: [name], message: 'expected a number; null is for a dry run', input: null });
});

export type Ask = z.output<typeof askSchema>;

/** The ask, or everything that is wrong with it in words: place, and what was expected. */
export function readAsk(value: unknown): Readonly<{ ask: Ask } | { mistakes: readonly string[] }> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { mistakes: ['the body: expected an object'] };
  const read = askSchema.safeParse(value);
  if (read.success) return { ask: read.data };
  return { mistakes: read.error.issues.map(inWords) };
}

const KINDS_OF_ASK = askSchema.options.map(({ shape }) => shape.ask.value);

function inWords({ code, path, message, ...issue }: z.core.$ZodIssue): string {
  if (code === 'invalid_union') return `ask: expected one of ${KINDS_OF_ASK.join(', ')}`;
  const where = path.length === 0 ? 'the body' : path.join('.');
  if (code === 'unrecognized_keys') return `${where}: ${(issue as { keys?: readonly string[] }).keys?.map((key) => JSON.stringify(key.slice(0, 64))).join(', ') ?? 'something'} is unknown here`;
  return `${where}: ${message.startsWith('expected') ? message : message.replace(/^Invalid input: /, '')}`;
}
