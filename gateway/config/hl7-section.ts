/** The section `hl7` of a hospital node: integration engines that are sent HL7 v2 messages. */

import { z } from 'zod';
import { Millis, Minutes } from '../quantity.ts';
import { address, count, duration, line, name, purpose, timeZone, word } from './fields.ts';
import { checkHl7, checkHl7Tls } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_DESTINATIONS = 16;

const file = (): z.ZodType<string, string> => line('the path of a file', 4096);
/** HD.1 of HL7 v2.6 has 20 characters; engines take more. */
const party = (): z.ZodType<string, string> => line('a name', 180);

const tls = z
  .strictObject({
    caFile: file().optional().describe('Certificate authority (PEM) of the engine. Default: those of this machine.'),
    certificateFile: file().optional().describe('Our own certificate, PEM, where the engine asks for one. Default: none.'),
    keyFile: file().optional().describe('Its private key, PEM.'),
  })
  .superRefine(checkHl7Tls, ALWAYS)
  .optional()
  .describe('MLLP over TLS (1.2 or 1.3); {} is with the authorities of this machine. Default: without TLS, readable for others in the network.');

const destination = z
  .strictObject({
    name: name('a name').describe('Name of the destination in logs, metrics and the record of who was shown what; unique in this file. Under another name it is another destination, which gets what comes from then on.'),
    address: address().describe('Where the engine takes MLLP, host:port, for example engine.example:2575.'),
    tls,
    sendingApplication: setting(party(), 'VITALGATE', 'Who sends (MSH-3).'),
    sendingFacility: party().optional().describe('Where that is (MSH-4). Default: the name of this node.'),
    receivingApplication: party().optional().describe('Who receives (MSH-5). Default: not said.'),
    receivingFacility: party().optional().describe('Where that is (MSH-6). Default: not said.'),
    processing: setting(word('P', 'T'), 'P', 'What the messages are for (MSH-11): P, production, or T, training.'),
    purpose: purpose().prefault('TREAT').describe('What for it gets anything, an HL7 ActReason code: patients permit or deny by purpose. Default TREAT, treatment.'),
    what: z
      .array(word('alarms', 'observations'), { error: 'expected a list of alarms and observations' })
      .min(1, { error: 'expected at least one of alarms and observations' })
      .prefault(['alarms', 'observations'])
      .transform((given): readonly ('alarms' | 'observations')[] => [...new Set(given)])
      .describe('What it gets: alarms (IHE PCD-04), observations (IHE PCD-01), or both. Default both.'),
    leastPriority: setting(word('high', 'medium', 'low'), 'low', 'Alarms below this priority are not sent.'),
    summaries: setting(word('minute', 'quarter'), 'quarter', 'Whether observations are those of every minute, or of every quarter of an hour.'),
    rooms: z.boolean({ error: 'expected true or false' }).prefault(true).describe('Whether what is measured in rooms is sent, with the room as the place of a patient who is not known. Default true.'),
    acknowledgement: setting(
      word('application', 'commit', 'both', 'original'),
      'application',
      'Which acknowledgements are asked for (MSH-15 and MSH-16): application, that the application has taken the message; commit, that the engine keeps it; both; or original, the one of the original mode.',
    ),
    timeout: setting(duration(Millis(100), Minutes(10)), '20s', 'How long an acknowledgement may take, a duration; then the message is sent again over a new connection.'),
    connectTimeout: setting(duration(Millis(100), Minutes(5)), '10s', 'How long a connection may take, a duration.'),
    retries: setting(count('times', 0, 100), 3, 'How often a message is tried again that was refused for a reason that may pass; then it is set aside.'),
    retryBase: setting(duration(Millis(10), Minutes(60)), '1s', 'Longest wait before the first retry, a duration; doubled by failures.'),
    retryCap: setting(duration(Millis(10), Minutes(60)), '60s', 'Longest wait between retries, a duration.'),
    timeZone: timeZone().optional().describe('Time zone of times in messages, for example Europe/Berlin; each has its offset. Default: that of this machine.'),
  })
  .describe('An integration engine.');

export const hl7Section = z
  .array(destination, { error: 'expected a list of destinations' })
  .max(MOST_DESTINATIONS, { error: `expected at most ${MOST_DESTINATIONS} destinations` })
  .prefault([])
  .superRefine(checkHl7, ALWAYS)
  .describe('Integration engines that are sent HL7 v2.6 messages over MLLP, as far as consent permits. Default: none.');
