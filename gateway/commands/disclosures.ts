import { FIRST_VERSION } from '../consent/consents.ts';
import { administer } from './administer.ts';
import type { Command } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS } from './settings.ts';
import { SUBJECT_OPTIONS, subjectIn } from './subject-option.ts';

export const disclosuresCommand: Command = {
  name: 'disclosures',
  summary: 'Says who was shown what of a patient or a room, when and what for.',
  usage: ['disclosures (--patient ID | --room ID) [--json]'],
  details: `Every reading of somebody's data through the API, a page or a command is an entry in the chain, sealed under their key. Who looks
again within fifteen minutes is looking still: one line for the first look, one that counts the others. Purposes are HL7 ActReason
codes: TREAT treatment, HOPERAT the running of the service, BTG a broken glass; "consent" is the version it was decided by. What a hospital showed to people and
systems there ("north/dr-lee") comes back from it; "when" is when it came, --json says when it was (at) and has its signed word (note).
Asking for this report is a disclosure, too.`,
  options: {
    ...CONFIG_OPTIONS,
    ...SUBJECT_OPTIONS,
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const subject = subjectIn(args);
    const disclosures = await administer(args, environment, (api) => api.disclosures(subject));
    if (args.values['json'] === true) environment.out(JSON.stringify(disclosures));
    else if (disclosures.length === 0) environment.out('nobody was shown anything');
    else for (const line of table([['when', 'to whom', 'what', 'purpose', 'times', 'consent'], ...disclosures.map(({ time, recipient, role, what, purpose, times, consents = [], episode }) => [new Date(time).toISOString(), `${recipient} (${role})`, what, purpose, String(times), basisOf(consents, episode)])])) environment.out(line);
    return 0;
  },
};

/** Versions as far as it takes to tell them apart. */
const basisOf = (consents: readonly string[], episode: number | undefined): string => [...consents.map((version) => (version === FIRST_VERSION ? 'none' : version.slice(0, 8))), ...(episode === undefined ? [] : [`episode ${episode}`])].join(' ');
