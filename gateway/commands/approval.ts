import { encodeRelease, hashOfRelease, readRelease, type ReleaseRequest } from '../consent/release.ts';
import { signStatement } from '../consent/statement.ts';
import type { ConsentView } from '../consent-desk.ts';
import { UsageError } from '../errors.ts';
import { fingerprint } from '../ledger/es256k.ts';
import { Minutes, UnixMillis } from '../quantity.ts';
import { administer } from './administer.ts';
import { instantOf, textOf, timeOf, type Arguments, type Command, type Environment } from './command.ts';
import { submitStatements } from './consent.ts';
import { newId, patientIn, personKeyIn, recipientIn, SCOPE_OPTIONS, setIn } from './consent-options.ts';
import { fidelityIn } from './consent-statement.ts';
import { formatRequest, formatStatement, parseRequest, parsing, requestInWords } from './consent-words.ts';
import { CONFIG_OPTIONS } from './settings.ts';
import { deliver, textIn } from './text-files.ts';

const A_WEEK = Minutes(7 * 24 * 60);

export const approvalCommand: Command = {
  name: 'approval',
  summary: 'Asks those whom a patient named to agree to a release, and takes their signatures.',
  usage: [
    'approval ask --patient ID --grant ID [--hospital … | --person … --role …] [--purpose CODE] [--until TIME] [--expires 7d] [--out FILE]',
    'approval sign FILE --key FILE --yes [--out FILE]     by each who agrees', 'approval submit FILE…',
  ],
  details: `A grant with approvers permits nothing until as many of them as it says have signed one request: to whom, what, what for, from when until when. What
is left out is taken from the grant. The request expires; a signature is for that request alone, one key counts once, and the order does not matter.
"vitalgate consent show" tells who has agreed.`,
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'ask: which patient' },
    grant: { type: 'string', value: 'ID', help: 'ask: the grant that asks for approval' },
    ...SCOPE_OPTIONS,
    fidelity: { type: 'string', value: 'LEVEL', help: 'ask: full, summary or events (default: as the grant says)' },
    from: { type: 'string', value: 'TIME', help: 'ask: from when on (default: now)' },
    until: { type: 'string', value: 'TIME', help: 'ask: until when (default: as long as the grant)' },
    expires: { type: 'string', value: 'TIME', help: 'ask: how long answers count (default: 7d)' },
    by: { type: 'string', value: 'PERSON', help: 'ask: who asks, somebody of alarms.people (default: the command line)' },
    key: { type: 'string', value: 'FILE', help: 'sign: key of whoever agrees' },
    yes: { type: 'boolean', help: 'sign: what the request says is read and meant' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'The file to write (default: standard output)' },
  },
  run: async (args, environment) => {
    const [what, ...files] = args.positionals;
    switch (what) {
      case 'ask': return await ask(args, environment);
      case 'sign': return sign(files, args, environment);
      case 'submit': return await submitStatements(files, args, environment);
      case undefined:
      default: throw new UsageError(`approval ${what ?? ''}: expected ask, sign or submit`);
    }
  },
};

async function ask(args: Arguments, environment: Environment): Promise<number> {
  const patient = patientIn(args);
  const bytes = await administer(args, environment, async ({ consent }) => {
    const request = requestFor(grantIn(args, await consent.view(patient)), args);
    const encoded = parsing(() => encodeRelease(request));
    await consent.ask(encoded, textOf(args, 'by'));
    return encoded;
  });
  deliver(formatRequest(bytes), textOf(args, 'out'), environment);
  environment.err('pass it to those who may agree: "vitalgate approval sign FILE --key FILE --yes"; then "vitalgate approval submit FILE…" here');
  return 0;
}

type Grant = ConsentView['grants'][number]['grant'];

function grantIn(args: Arguments, { patient, grants }: ConsentView): Grant {
  const id = textOf(args, 'grant');
  if (id === undefined) throw new UsageError('under which grant? Give --grant ID, as "vitalgate consent show" prints it');
  const found = grants.find(({ grant }) => grant.id === id);
  if (found === undefined) throw new UsageError(`patient ${patient} has given no grant ${id}`);
  return found.grant;
}

/** What is not said is as the grant says. */
function requestFor(grant: Grant, args: Arguments): ReleaseRequest {
  const now = UnixMillis(Date.now());
  const { from = now, until = grant.until } = { ...instantOf(args, 'from'), ...instantOf(args, 'until') };
  if (until === undefined) throw new UsageError('until when? Give --until TIME: a release ends, and this grant does not say when');
  const purpose = textOf(args, 'purpose') ?? (grant.purposes?.length === 1 ? grant.purposes[0] : undefined);
  if (purpose === undefined) throw new UsageError(`what for? Give --purpose, one of ${grant.purposes?.join(', ') ?? 'those of the grant'}`);
  const what = setIn(args, 'what', 'what').what ?? grant.what;
  return {
    id: newId(), patient: grant.patient, grant: grant.id, recipient: { ...grant.to, ...recipientIn(args) }, ...(what === undefined ? {} : { what }),
    fidelity: fidelityIn(args, grant.fidelity ?? 'full'), purpose, period: { from, until }, expires: UnixMillis(now + (timeOf(args, 'expires') ?? A_WEEK)),
  };
}

function sign([file, ...more]: readonly string[], args: Arguments, environment: Environment): number {
  if (file === undefined || more.length > 0) throw new UsageError('approval sign takes one file');
  const request = parsing(() => readRelease(parseRequest(textIn(file))));
  for (const line of requestInWords(request)) environment.err(line);
  if (args.values['yes'] !== true) throw new UsageError('nothing is signed yet; say --yes when this is meant');
  const key = personKeyIn(args);
  const bytes = signStatement({ kind: 'approval', request: hashOfRelease(request), expires: request.expires, by: fingerprint(key.publicKey) }, key);
  deliver(formatStatement(bytes), textOf(args, 'out'), environment);
  return 0;
}
