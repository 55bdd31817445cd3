import { VERDICTS } from '../consent/break-glass.ts';
import type { ConsentOrder } from '../consent-administration.ts';
import { UsageError } from '../errors.ts';
import type { EpisodeView } from '../web/care-desk.ts';
import { administer } from './administer.ts';
import { textOf, timeOf, type Arguments, type Command, type Environment } from './command.ts';
import { patientIn } from './consent-options.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const breakGlassCommand: Command = {
  name: 'break-glass',
  summary: 'In an emergency: everything of one patient, whatever they permit, for a while, and judged afterwards.',
  usage: [
    'break-glass open --patient ID --by PERSON --reason TEXT [--time 4h]', 'break-glass end N --by PERSON',
    'break-glass review N --by PERSON --verdict justified|unjustified --remark TEXT', 'break-glass list [--json]',
  ],
  details: `A clinician of alarms.people opens an episode, for at most 24 hours, and sees everything of the patient (GET /api/patients/…?purpose=BTG), unless the
patient has denied even that. Whoever looks after the patient is told at once. When it is over, a clinician or administrator who did not open it
judges it within seven days; nobody did: they are told again. All of it is in the chain, sealed under the patient's key.`,
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'open: which patient' },
    by: { type: 'string', value: 'PERSON', help: 'Who does it, somebody of alarms.people' },
    reason: { type: 'string', value: 'TEXT', help: 'open: why, at least ten characters' },
    time: { type: 'string', value: 'TIME', help: 'open: for how long (default: 4h, at most 24h)' },
    verdict: { type: 'string', value: 'WORD', help: 'review: justified or unjustified' },
    remark: { type: 'string', value: 'TEXT', help: 'review: why, at least ten characters' },
    json: { type: 'boolean', help: 'list: print JSON' },
  },
  run: async (args, environment) => {
    const [what, ...rest] = args.positionals;
    switch (what) {
      case 'open': {
        const time = timeOf(args, 'time');
        return await carryOut({ type: 'break_glass', patient: patientIn(args), by: saidIn(args, 'by'), reason: saidIn(args, 'reason'), ...(time === undefined ? {} : { time }) }, args, environment);
      }
      case 'end': return await carryOut({ type: 'end_glass', episode: numberIn(rest), by: saidIn(args, 'by') }, args, environment);
      case 'review': return await carryOut({ type: 'review_glass', episode: numberIn(rest), by: saidIn(args, 'by'), verdict: verdictIn(args), remark: saidIn(args, 'remark') }, args, environment);
      case 'list': return await list(args, environment);
      case undefined:
      default: throw new UsageError(`break-glass ${what ?? ''}: expected open, end, review or list`);
    }
  },
};

async function carryOut(order: ConsentOrder, args: Arguments, environment: Environment): Promise<number> {
  const { word, episode, patient } = await administer(args, environment, (api) => api.consent.carryOut(order));
  environment.out(`episode ${episode} of patient ${patient}: ${word.replaceAll('_', ' ')}`);
  return 0;
}

function saidIn(args: Arguments, name: string): string {
  const text = textOf(args, name);
  if (text === undefined) throw new UsageError(`--${name} is missing`);
  return text;
}

function numberIn([text, ...more]: readonly string[]): number {
  if (text === undefined || more.length > 0 || !/^[1-9]\d{0,14}$/.test(text)) throw new UsageError('which episode? Give its number, as "vitalgate break-glass list" prints it');
  return Number(text);
}

function verdictIn(args: Arguments): (typeof VERDICTS)[number] {
  const found = VERDICTS.find((each) => each === textOf(args, 'verdict'));
  if (found === undefined) throw new UsageError('--verdict takes justified or unjustified');
  return found;
}

async function list(args: Arguments, environment: Environment): Promise<number> {
  const episodes = await administer(args, environment, (api) => api.consent.episodes());
  if (args.values['json'] === true) environment.out(JSON.stringify(episodes));
  else if (episodes.length === 0) environment.out('nobody has broken the glass');
  else for (const line of table([['N', 'PATIENT', 'BY', 'OPENED', 'ENDS', 'STATUS', 'REASON', 'REVIEW'], ...episodes.map(rowOf)])) environment.out(line);
  return 0;
}

const rowOf = ({ number, patient, by, opened, ends, status, due, reason, review }: EpisodeView): readonly string[] =>
  [String(number), patient, `${by.id} (${by.role})`, opened, ends, status === 'ended' ? `ended, to be judged by ${due}` : status, reason, review === null ? '' : `${review.verdict}, by ${review.by.id}: ${review.remark}`];
