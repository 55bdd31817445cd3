import { signES256K, verifyWithNodeCrypto, type SigningKey } from '../ledger/es256k.ts';

/** A person's signature under a contract: ES256K (RFC 8812 §3.2) over `vitalgate contract` ‖ 00 ‖ the 32 bytes of its hash. */
export type ContractSignature = Readonly<{
  /** Hash of the contract, hexadecimal (orders.ts). */
  contract: string;
  /** Compressed secp256k1 point, hexadecimal. */
  key: string;
  /** 64 bytes, hexadecimal. */
  signature: string;
}>;

const messageOf = (contract: string): Uint8Array => Buffer.concat([Buffer.from('vitalgate contract\0', 'latin1'), Buffer.from(contract, 'hex')]);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export const signContract = (contract: string, key: SigningKey): ContractSignature => ({ contract, key: hex(key.publicKey), signature: hex(signES256K(messageOf(contract), key)) });

export const isSignatureOf = ({ contract, key, signature }: ContractSignature): boolean =>
  verifyWithNodeCrypto(messageOf(contract), Buffer.from(signature, 'hex'), Buffer.from(key, 'hex'));

const HASH = /^[0-9a-f]{64}$/;
const KEY = /^[0-9a-f]{66}$/;
const SIGNATURE = /^[0-9a-f]{128}$/;

/** Undefined for anything that has not the shape of one; whether it is good is asked by {@link isSignatureOf}. */
export function readContractSignature(value: unknown): ContractSignature | undefined {
  const { contract, key, signature } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const fits = (text: unknown, form: RegExp): text is string => typeof text === 'string' && form.test(text);
  return fits(contract, HASH) && fits(key, KEY) && fits(signature, SIGNATURE) ? { contract, key, signature } : undefined;
}
