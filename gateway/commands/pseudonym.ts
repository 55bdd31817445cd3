import { UsageError } from '../errors.ts';
import { nameOf } from '../reading.ts';
import { administer } from './administer.ts';
import { textOf, type Arguments, type Command } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';
import { SUBJECT_OPTIONS, subjectIn } from './subject-option.ts';

export const pseudonymCommand: Command = {
  name: 'pseudonym',
  summary: 'Says by which pseudonym a hospital knows a patient or a room.',
  usage: ['pseudonym (--patient ID | --room ID) --hospital NAME|KEY [--json]'],
  details: `So that the hospital can say who of its own patients that is ("vitalgate patient map" on its machine): hand it over in a way that tells nobody else.
The hospital follows the person from epoch to epoch by itself. That it was told is a disclosure, in the patient's account.
Works with the running gateway, or on its data folder while none runs.`,
  options: {
    ...CONFIG_OPTIONS,
    ...SUBJECT_OPTIONS,
    hospital: { type: 'string', value: 'NAME|KEY', help: 'For this hospital: its name in the configuration, or its public key' },
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [subject, hospital] = [subjectIn(args), hospitalIn(args)];
    const { epoch, pseudonym, before } = await administer(args, environment, (api) => api.pseudonym({ subject, hospital }));
    const lines = args.values['json'] === true
      ? [JSON.stringify({ subject: nameOf(subject), hospital, epoch, pseudonym, before })]
      : [`pseudonym  ${pseudonym}   (epoch ${epoch})`, `before     ${before}`];
    for (const line of lines) environment.out(line);
    return 0;
  },
};

/** A public key. */
function hospitalIn(args: Arguments): string {
  const text = textOf(args, 'hospital');
  if (text === undefined) throw new UsageError('for whom? Give --hospital NAME|KEY');
  const key = /^0[23][0-9a-f]{64}$/.test(text) ? text : gatewayConfig(args).hospitals.find(({ name }) => name === text)?.key;
  if (key === undefined) throw new UsageError(`--hospital: the configuration names no hospital "${text}"; give its name there, or its public key (66 hexadecimal digits)`);
  return key;
}
