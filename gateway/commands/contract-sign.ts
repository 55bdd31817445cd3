import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { packsNamed } from '../activation.ts';
import { pathOfPack } from '../config/ready-packs.ts';
import { isSignatureOf, readContractSignature, signContract, type ContractSignature } from '../derive/contract-signature.ts';
import { hashOfContract } from '../derive/orders.ts';
import { ConfigError, UsageError } from '../errors.ts';
import { fingerprint, generateSecret, signingKeyFrom } from '../ledger/es256k.ts';
import { FolderFiles, secretIn } from '../operations/data-folder.ts';
import { textOf, type Arguments, type Environment } from './command.ts';

export const SIGN_OPTIONS = {
  key: { type: 'string', value: 'FILE', help: 'sign: your key; made there, with mode 0600, when there is none' },
} as const;

/** Signatures of a pack lie beside it. */
const fileFor = (path: string): string => `${path}.sig`;

/** Adds a person's signature to those beside a pack. */
export function sign(args: Arguments, packs: readonly string[], { out }: Environment): number {
  const keyFile = textOf(args, 'key');
  const [named, ...more] = packs;
  if (keyFile === undefined || named === undefined || more.length > 0) throw new UsageError('contract sign takes one pack and --key FILE');
  const [contract] = packsNamed([named]);
  if (contract === undefined) throw new UsageError(`${named} is no pack`);
  const { secret, created } = secretIn(new FolderFiles(dirname(keyFile)), basename(keyFile), () => generateSecret(randomBytes));
  const key = signingKeyFrom(secret);
  if (created) out(`made the key ${keyFile}: keep it, and a copy in a safe place`);
  const signature = signContract(hashOfContract(contract), key);
  const path = fileFor(pathOfPack(named));
  const others = signaturesIn(path).filter((each) => each.contract === signature.contract && each.key !== signature.key);
  writeFileSync(path, `${JSON.stringify([...others, signature], null, 2)}\n`);
  out(`${path}: ${contract.pack} version ${contract.version}, contract ${signature.contract}, signed by key ${fingerprint(key.publicKey)}`);
  return 0;
}

/**
 * The signatures beside packs, good ones of the packs as they are now. Throws {@link ConfigError} for one that is not: somebody changed the
 * pack after it was signed.
 */
export function signaturesOf(packs: readonly string[]): readonly ContractSignature[] {
  const contracts = packsNamed(packs);
  return packs.flatMap((named, index) => {
    const path = fileFor(pathOfPack(named));
    const hash = hashOfContract(contracts[index] as (typeof contracts)[number]);
    const signatures = signaturesIn(path);
    if (signatures.some((each) => each.contract !== hash)) throw new ConfigError(`${path}: the pack was changed after it was signed; sign it again, or remove the file`);
    if (!signatures.every(isSignatureOf)) throw new ConfigError(`${path}: a signature is not good`);
    return signatures;
  });
}

function signaturesIn(path: string): readonly ContractSignature[] {
  if (!existsSync(path)) return [];
  const found = read(path);
  const signatures = Array.isArray(found) ? found.map(readContractSignature) : [undefined];
  if (!signatures.every((each) => each !== undefined)) throw new ConfigError(`${path} holds no signatures of a contract`);
  return signatures;
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`${path} cannot be read as JSON`, { cause });
  }
}
