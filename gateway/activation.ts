/** What the configuration says about watching, put in force: derivation knows only what stands in the journal. */

import { readPolicy } from './alarm/read-policy.ts';
import { loadPack } from './config/pack.ts';
import { pathOfPack } from './config/ready-packs.ts';
import type { GatewayConfig } from './config/schema.ts';
import { mistakesIn, type Contract } from './context/contract.ts';
import { readContracts } from './context/read-contracts.ts';
import { encodeOperatorAction, type OperatorAction } from './decode/operator.ts';
import { readProfiles } from './decode/read-profiles.ts';
import { hashOfContract } from './derive/orders.ts';
import type { DerivationOverview } from './derive/overview.ts';
import { readPatients } from './derive/read-orders.ts';
import { ConfigError, DecodeError } from './errors.ts';

/** Sections of the configuration that may change while the gateway runs. */
export const LIVE_SECTIONS = ['packs', 'patients', 'alarms', 'profiles'] as const;
export type LiveSection = (typeof LIVE_SECTIONS)[number];

type Decided = Readonly<{ section: LiveSection; action: OperatorAction }>;

const BY_CONFIGURATION = { id: 'configuration', role: 'administrator' };
const WITHOUT_PACKS = ['starter'];

/** Packs by name or path, judged. Throws {@link ConfigError} with every mistake and its line. */
export function packsNamed(names: readonly string[]): readonly Contract[] {
  const packs = names.map((named) => loadPack(pathOfPack(named), { mistakesIn }));
  try {
    return readContracts(packs);
  } catch (cause) {
    if (cause instanceof DecodeError) throw new ConfigError(`the packs ${names.join(', ')}: ${cause.message}`, { cause });
    throw cause;
  }
}

/**
 * What has to be decided so that the configuration is in force; nothing when it is. Without `packs` in it, those that were activated by
 * people stay. Throws {@link ConfigError} for a pack that cannot be read.
 */
export function decisionsFor({ packs, patients, alarms, profiles }: GatewayConfig, derived: DerivationOverview): readonly Decided[] {
  const { orders } = derived;
  const contracts = packs === undefined && orders.contracts.length > 0 ? undefined : packsNamed(packs ?? WITHOUT_PACKS);
  const inForce = orders.contracts.map(({ hash }) => hash).join();
  const decided: (Decided | false)[] = [
    contracts !== undefined && contracts.map(hashOfContract).join() !== inForce && { section: 'packs', action: { type: 'contracts', packs: contracts, by: [BY_CONFIGURATION] } },
    !same(readPatients(asJson(patients) as readonly unknown[]), orders.patients) && { section: 'patients', action: { type: 'patients', patients } },
    !same(readPolicy(asJson(alarms)), orders.policy) && { section: 'alarms', action: { type: 'alarms', policy: { ...alarms, people: alarms.people.map(withoutContact) } } },
    !same(readProfiles(profiles), derived.profiles) && { section: 'profiles', action: { type: 'profiles', profiles } },
  ];
  return decided.filter((each) => each !== false);
}

export const encoded = (decided: readonly Decided[]): readonly Uint8Array[] => decided.map(({ action }) => encodeOperatorAction(action));

/** What is written down for ever says nothing of where somebody can be reached. */
const withoutContact = ({ email: _email, phone: _phone, ...person }: GatewayConfig['alarms']['people'][number]): object => person;

/** As it stands in a frame of the journal. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
