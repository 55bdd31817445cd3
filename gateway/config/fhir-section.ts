/** The section `fhir` of a hospital node: what it shows and gives as HL7 FHIR R4. */

import { z } from 'zod';
import { Minutes, Seconds } from '../quantity.ts';
import { duration, line, name, purpose, webAddress, word } from './fields.ts';
import { checkFhirPush, checkFhirServer } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_SERVERS = 16;

const file = (): z.ZodType<string, string> => line('the path of a file', 4096);

const oauth = z
  .strictObject({
    tokenUrl: webAddress().describe('Where tokens are given (RFC 6749), an https address; http only on the same machine.'),
    client: line('a client id', 256).describe('Who we are there.'),
    secretFile: file().describe('File whose first line is our secret there. It is read anew for every token.'),
    scope: line('a scope', 1024).optional().describe('What the token is to be good for, for example "system/*.write". Default: what the server gives.'),
  })
  .optional()
  .describe('OAuth 2 client credentials. Default: none.');

const server = z
  .strictObject({
    name: name('a name').describe('Name of the server in logs and in the record of who was shown what; unique in this file. Under another name everything is sent to it anew, which changes nothing there.'),
    url: webAddress().describe('Base address of its API, to which transactions are sent: an https address; http only on the same machine.'),
    caFile: file().optional().describe('Certificate authority (PEM) of the server. Default: those of this machine.'),
    tokenFile: file().optional().describe('File whose first line is a bearer token. It is read anew for every transaction. Default: none.'),
    oauth,
    purpose: purpose().prefault('TREAT').describe('What for it gets anything, an HL7 ActReason code: patients permit or deny by purpose. Default TREAT, treatment.'),
    what: z
      .array(word('Observation', 'DetectedIssue', 'Communication', 'Provenance'), { error: 'expected a list of Observation, DetectedIssue, Communication and Provenance' })
      .min(1, { error: 'expected at least one of Observation, DetectedIssue, Communication and Provenance' })
      .prefault(['Observation', 'DetectedIssue', 'Communication', 'Provenance'])
      .describe('Which resources it gets; patients, places and devices go along with what is about them. Default: all.'),
    summaries: setting(word('minute', 'quarter', 'all'), 'minute', 'Whether it gets what was measured by the minute, by the quarter of an hour, or both, which say the same twice.'),
    timeout: setting(duration(Seconds(1), Minutes(10)), '60s', 'Longest time for one transaction, a duration.'),
    retryCap: setting(duration(Seconds(1), Minutes(60)), '5min', 'Longest wait between two tries, a duration.'),
  })
  .superRefine(checkFhirServer, ALWAYS)
  .describe('A FHIR server that is given what consent permits.');

export const fhirSection = z
  .strictObject({
    api: z.boolean({ error: 'expected true or false' }).prefault(true).describe('Whether the staff may read and search at /fhir with a token. Default true.'),
    push: z
      .array(server, { error: 'expected a list of servers' })
      .max(MOST_SERVERS, { error: `expected at most ${MOST_SERVERS} servers` })
      .prefault([])
      .superRefine(checkFhirPush, ALWAYS)
      .describe('FHIR servers that everything is given to as it arrives. Default: none.'),
  })
  .prefault({})
  .describe('HL7 FHIR R4.');
