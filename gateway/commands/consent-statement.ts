import type { ApprovalRule, Grant } from '../consent/grant.ts';
import { signStatement, type Revocation, type Statement } from '../consent/statement.ts';
import { FIDELITIES, type Fidelity } from '../consent/vocabulary.ts';
import { UsageError } from '../errors.ts';
import { fingerprint } from '../ledger/es256k.ts';
import { UnixMillis } from '../quantity.ts';
import { administer } from './administer.ts';
import { instantOf, listOf, numberOf, textOf, type Arguments, type Environment } from './command.ts';
import { newId, patientIn, personKeyIn, recipientIn, setIn } from './consent-options.ts';
import { formatStatement, parsing, statementInWords } from './consent-words.ts';
import { deliver } from './text-files.ts';

/** Signs a grant, a denial or a revocation, and hands it to the gateway or writes it down. */
export async function state(what: 'grant' | 'deny' | 'revoke', args: Arguments, environment: Environment): Promise<number> {
  const patient = patientIn(args);
  const key = personKeyIn(args);
  const by = fingerprint(key.publicKey);
  const statement: Statement = what === 'revoke' ? revocationIn(args, patient, by) : await grantIn(what === 'grant', args, environment, { patient, by });
  const bytes = parsing(() => signStatement(statement, key));
  for (const line of statementInWords(statement)) environment.err(line);
  if (args.values['submit'] === true) {
    const { version } = await administer(args, environment, (api) => api.consent.submit(bytes));
    environment.out(`accepted; version ${version}`);
    return 0;
  }
  deliver(formatStatement(bytes), textOf(args, 'out'), environment);
  environment.err('pass it to the gateway: "vitalgate consent submit FILE"');
  return 0;
}

async function grantIn(permit: boolean, args: Arguments, environment: Environment, { patient, by }: Readonly<{ patient: string; by: string }>): Promise<Grant> {
  const { from = UnixMillis(Date.now()), until } = { ...instantOf(args, 'from'), ...instantOf(args, 'until') };
  const measured = { from: instantOf(args, 'measured-from')['measured-from'], until: instantOf(args, 'measured-until')['measured-until'] };
  const purposes = setIn(args, 'purpose', 'purposes');
  if (permit && purposes.purposes === undefined) throw new UsageError('what for? Give --purpose CODE, such as TREAT: nobody permits everything by leaving something out');
  return {
    kind: 'grant', id: newId(), patient, by, after: await versionIn(args, environment, patient), permit, to: recipientIn(args),
    ...setIn(args, 'what', 'what'),
    ...(permit ? { fidelity: fidelityIn(args, 'full') } : {}),
    ...purposes,
    from,
    ...(until === undefined ? {} : { until }),
    ...setIn(args, 'label', 'labels'), ...setIn(args, 'source', 'sources'),
    ...(measured.from === undefined ? {} : { measured: { from: measured.from, ...(measured.until === undefined ? {} : { until: measured.until }) } }),
    ...(textOf(args, 'approvers') === undefined ? {} : { approval: approvalIn(args) }),
  };
}

/** The version of the patient's consents that a statement is written for. */
async function versionIn(args: Arguments, environment: Environment, patient: string): Promise<string> {
  const given = textOf(args, 'after');
  if (given === undefined) return (await administer(args, environment, (api) => api.consent.view(patient))).version;
  if (!/^[0-9a-f]{64}$/.test(given)) throw new UsageError(`--after takes the version that "vitalgate consent show" prints, 64 hexadecimal digits, got "${given}"`);
  return given;
}

export function fidelityIn(args: Arguments, usual: Fidelity): Fidelity {
  const text = textOf(args, 'fidelity') ?? usual;
  const found = FIDELITIES.find((each) => each === text);
  if (found === undefined) throw new UsageError(`--fidelity takes one of ${FIDELITIES.join(', ')}, got "${text}"`);
  return found;
}

function approvalIn(args: Arguments): ApprovalRule {
  const of = listOf(args, 'approvers').map((each) => {
    const [, name, key] = /^(.+)=(0[23][0-9a-f]{64})$/.exec(each) ?? [];
    if (name === undefined || key === undefined) throw new UsageError(`--approvers takes NAME=KEY with a public key of 66 hexadecimal digits, got "${each}"`);
    return { name, key };
  });
  return { threshold: numberOf(args, 'threshold', of.length), of };
}

function revocationIn(args: Arguments, patient: string, by: string): Revocation {
  const [grant, key, reason] = [textOf(args, 'grant'), textOf(args, 'fingerprint'), textOf(args, 'reason')];
  const which = grant ?? key;
  if (which === undefined || (grant !== undefined && key !== undefined)) throw new UsageError('what counts no more? Give --grant ID or --fingerprint of a key');
  if (!/^[0-9a-f]{32}$/.test(which)) throw new UsageError(`"${which}" is no id of a grant and no fingerprint: 32 hexadecimal digits, as "vitalgate consent show" prints them`);
  return { kind: 'revocation', id: newId(), patient, by, what: grant === undefined ? 'key' : 'grant', which, ...(reason === undefined ? {} : { reason }) };
}
