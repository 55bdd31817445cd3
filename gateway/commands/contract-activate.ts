import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { packsNamed } from '../activation.ts';
import { pathOfPack } from '../config/ready-packs.ts';
import { fingerprint } from '../ledger/es256k.ts';
import type { ContractInForce } from '../web/care-desk.ts';
import { administer } from './administer.ts';
import { counted, textOf, type Arguments, type Environment } from './command.ts';
import { signaturesOf } from './contract-sign.ts';

export const ACTIVATE_OPTIONS = {
  by: { type: 'string', value: 'NAME', help: 'activate: who decides it, as the chain will say (default: the user of this terminal)' },
} as const;

/** Puts packs in force, and no others, with the signatures that lie beside them. */
export async function activate(args: Arguments, packs: readonly string[], environment: Environment): Promise<number> {
  // Judged here, where mistakes can be told with the file they are in.
  packsNamed(packs);
  const signatures = signaturesOf(packs);
  const texts = packs.map((named) => readFileSync(pathOfPack(named), 'utf8'));
  const by = { id: textOf(args, 'by') ?? userInfo().username, role: 'administrator' };
  const inForce = await administer(args, environment, (api) => api.activateContracts({ packs: texts, signatures, by }));
  for (const line of linesOf(inForce)) environment.out(line);
  return 0;
}

export async function listContracts(args: Arguments, environment: Environment): Promise<number> {
  const inForce = await administer(args, environment, (api) => api.contracts());
  for (const line of linesOf(inForce)) environment.out(line);
  return 0;
}

const linesOf = (inForce: readonly ContractInForce[]): string[] =>
  inForce.map(({ pack, version, rules, hash, by, signers }) => {
    const signed = signers.length === 0 ? 'signed by nobody' : `signed by ${signers.map((key) => fingerprint(Buffer.from(key, 'hex'))).join(', ')}`;
    return `${pack} version ${version}, ${counted(rules, 'rule')}, contract ${hash}, by ${by.map(({ id }) => id).join(', ')}, ${signed}`;
  });
