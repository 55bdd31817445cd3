import { openStatement } from '../consent/statement.ts';
import { readRelease } from '../consent/release.ts';
import { SPEAKERS } from '../consent/keys.ts';
import { UsageError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { fingerprint } from '../ledger/es256k.ts';
import { UnixMillis } from '../quantity.ts';
import { administer } from './administer.ts';
import { instantOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { keyAt, patientIn, recipientIn, SCOPE_OPTIONS, setIn } from './consent-options.ts';
import { state } from './consent-statement.ts';
import { isRequest, parseRequest, parseStatement, parsing, requestInWords, statementInWords, viewInWords } from './consent-words.ts';
import { CONFIG_OPTIONS } from './settings.ts';
import { textIn } from './text-files.ts';

const DENIED = 1;

export const consentCommand: Command = {
  name: 'consent',
  summary: 'What patients permit: keys that speak for them, grants, denials and revocations they sign.',
  usage: [
    'consent keygen --key FILE', 'consent enrol --patient ID --public-key HEX --who patient|guardian --name NAME [--until TIME] [--by PERSON]',
    'consent unenrol --patient ID --fingerprint F --reason TEXT [--by PERSON]', 'consent grant --patient ID --key FILE --purpose CODE,… [--hospital … --what … --fidelity … --until …] [--submit | --out FILE]',
    'consent deny --patient ID --key FILE [--hospital … --what … --purpose …] [--submit | --out FILE]', 'consent revoke --patient ID --key FILE (--grant ID | --fingerprint F) [--submit | --out FILE]',
    'consent submit FILE…', 'consent read FILE…', 'consent show --patient ID [--json]', 'consent decide --patient ID --purpose CODE (--hospital … | --person … --role …) [--what …] [--json]',
  ],
  details: `A key that a clinician or whoever runs the gateway has enrolled speaks for a patient; a guardian's ends some day. With it statements are signed:
on this machine, or on the patient's own and passed on as a text file. Of what covers a case the more specific counts, and then a denial before a
permission; where nothing does, the base of the deployment holds (hospitals.payloads and alarms.people in the configuration).
A grant with --approvers counts only for what as many of them as --threshold says have agreed to ("vitalgate approval"). A permission is written
for the version "show" prints (--after; without it the gateway is asked), so that none can be kept back; a denial never has to wait for that.
"decide" says what would be shown now and why; exit code 1: nothing. Everything that is accepted is an entry in the chain, sealed.`,
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'Which patient' },
    key: { type: 'string', value: 'FILE', help: 'Key to sign with; keygen makes it, with mode 0600' },
    'public-key': { type: 'string', value: 'HEX', help: 'enrol: public key, as keygen prints it' },
    who: { type: 'string', value: 'WHO', help: 'enrol: patient, or guardian (needs --until)' },
    name: { type: 'string', value: 'NAME', help: 'enrol: name of whoever has the key' },
    by: { type: 'string', value: 'PERSON', help: 'enrol, unenrol: who decides so, a clinician or administrator of alarms.people (default: the command line)' },
    ...SCOPE_OPTIONS,
    fidelity: { type: 'string', value: 'LEVEL', help: 'grant: full, summary or events (default: full)' },
    from: { type: 'string', value: 'TIME', help: 'From when on (default: now)' },
    until: { type: 'string', value: 'TIME', help: 'Until when (default: until it is revoked)' },
    'measured-from': { type: 'string', value: 'TIME', help: 'Only of what was measured from then on' },
    'measured-until': { type: 'string', value: 'TIME', help: 'and until then' },
    label: { type: 'string', value: 'LABEL,…', help: 'Only of data with one of these labels: N, R, PSY, SDV' },
    source: { type: 'string', value: 'ID,…', help: 'Only of data from these devices or people' },
    approvers: { type: 'string', value: 'NAME=KEY,…', help: 'grant: who must agree, with their public keys' },
    threshold: { type: 'string', value: 'M', help: 'grant: how many of them (default: all)' },
    after: { type: 'string', value: 'VERSION', help: 'grant, deny: the version it is written for (default: the gateway is asked)' },
    grant: { type: 'string', value: 'ID', help: 'revoke: this grant or denial' },
    fingerprint: { type: 'string', value: 'F', help: 'revoke, unenrol: this key' },
    reason: { type: 'string', value: 'TEXT', help: 'revoke, unenrol: why' },
    submit: { type: 'boolean', help: 'grant, deny, revoke: hand it to the gateway at once' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'grant, deny, revoke: the file to write (default: standard output)' },
    json: { type: 'boolean', help: 'show, decide: print JSON' },
  },
  run: async (args, environment) => {
    const [what, ...files] = args.positionals;
    if (what !== 'submit' && what !== 'read' && files.length > 0) throw new UsageError(`unexpected: ${files.join(' ')}`);
    switch (what) {
      case 'keygen': return keygen(args, environment);
      case 'enrol': return await enrol(args, environment);
      case 'unenrol': return await unenrol(args, environment);
      case 'grant': case 'deny': case 'revoke': return await state(what, args, environment);
      case 'submit': return await submitStatements(files, args, environment);
      case 'read': return read(files, environment);
      case 'show': return await show(args, environment);
      case 'decide': return await decide(args, environment);
      case undefined:
      default: throw new UsageError(`consent ${what ?? ''}: expected keygen, enrol, unenrol, grant, deny, revoke, submit, read, show or decide`);
    }
  },
};

function keygen(args: Arguments, { out, err }: Environment): number {
  const path = textOf(args, 'key');
  if (path === undefined) throw new UsageError('where? Give --key FILE');
  const { key, created } = keyAt(path);
  err(created ? `made the key ${path}: keep it, and a copy in a safe place` : `${path} is there already, and stays as it is`);
  out(`public key   ${toHex(key.publicKey)}`);
  out(`fingerprint  ${fingerprint(key.publicKey)}`);
  return 0;
}

const byIn = (args: Arguments): { by?: string } => (textOf(args, 'by') === undefined ? {} : { by: textOf(args, 'by') as string });

async function enrol(args: Arguments, environment: Environment): Promise<number> {
  const [key, name] = [textOf(args, 'public-key'), textOf(args, 'name')];
  const who = SPEAKERS.find((each) => each === textOf(args, 'who'));
  if (key === undefined || name === undefined) throw new UsageError('whose key? Give --public-key HEX and --name NAME');
  if (who === undefined) throw new UsageError('who is that? Give --who patient or --who guardian');
  const order = { type: 'enrol_person', patient: patientIn(args), key: key.toLowerCase(), who, name, ...instantOf(args, 'until'), ...byIn(args) } as const;
  const { patient } = await administer(args, environment, (api) => api.consent.carryOut(order));
  environment.out(`the key of ${name} speaks for patient ${patient}`);
  return 0;
}

async function unenrol(args: Arguments, environment: Environment): Promise<number> {
  const [print, reason] = [textOf(args, 'fingerprint'), textOf(args, 'reason')];
  if (print === undefined || reason === undefined) throw new UsageError('which key, and why? Give --fingerprint and --reason');
  const { patient } = await administer(args, environment, (api) => api.consent.carryOut({ type: 'revoke_person', patient: patientIn(args), fingerprint: print, reason, ...byIn(args) }));
  environment.out(`key ${print} speaks for patient ${patient} no more`);
  return 0;
}

/** Each by itself: one that is refused does not keep the others back. */
export async function submitStatements(files: readonly string[], args: Arguments, environment: Environment): Promise<number> {
  if (files.length === 0) throw new UsageError('give the files of the statements');
  const statements = files.map((file) => ({ file, bytes: parseStatement(textIn(file)) }));
  return await administer(args, environment, async (api) => {
    let code = 0;
    for (const { file, bytes } of statements) {
      try {
        const { word } = await api.consent.submit(bytes);
        environment.out(`${file}: accepted (${word})`);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        environment.err(`${file}: refused, ${error.message}`);
        code = DENIED;
      }
    }
    return code;
  });
}

function read(files: readonly string[], { out }: Environment): number {
  if (files.length === 0) throw new UsageError('give the files to read');
  for (const file of files) {
    const text = textIn(file);
    const words = isRequest(text) ? parsing(() => requestInWords(readRelease(parseRequest(text)))) : parsing(() => statementInWords(openStatement(parseStatement(text)).statement));
    for (const line of words) out(line);
  }
  return 0;
}

async function show(args: Arguments, environment: Environment): Promise<number> {
  const patient = patientIn(args);
  const view = await administer(args, environment, (api) => api.consent.view(patient));
  for (const line of args.values['json'] === true ? [JSON.stringify(view)] : viewInWords(view, UnixMillis(Date.now()))) environment.out(line);
  return 0;
}

async function decide(args: Arguments, environment: Environment): Promise<number> {
  const purpose = textOf(args, 'purpose');
  if (purpose === undefined) throw new UsageError('what for? Give --purpose CODE');
  const request = { patient: patientIn(args), recipient: recipientIn(args), purpose, ...setIn(args, 'what', 'what') };
  const decision = await administer(args, environment, (api) => api.consent.decide(request));
  if (args.values['json'] === true) environment.out(JSON.stringify(decision));
  else {
    environment.out(`${decision.decision === 'permit' ? 'permitted' : 'denied'}, by version ${decision.version}`);
    for (const why of decision.why) environment.out(`because ${why}`);
    for (const [item, fidelity] of Object.entries(decision.what)) environment.out(`shown     ${item}: ${fidelity}`);
    for (const item of decision.withheld) environment.out(`withheld  ${item}`);
    for (const { grant, approval } of decision.needs ?? []) environment.out(`grant ${grant} waits for ${approval.threshold} of ${approval.of.map(({ name }) => name).join(', ')}`);
  }
  return decision.decision === 'permit' ? 0 : DENIED;
}
