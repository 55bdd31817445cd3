import { UsageError } from '../errors.ts';
import { openingAtRest, patientApiOf } from '../hospital-patients.ts';
import { hospitalSocketIn } from '../hospital-staff.ts';
import { openDataFolder } from '../operations/data-folder.ts';
import { controlAnswers } from '../web/control.ts';
import { assertPseudonym, patientClient, type ListedPerson, type PatientApi } from '../web/control-patients.ts';
import { counted, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

export const patientCommand: Command = {
  name: 'patient',
  summary: 'On a hospital\'s machine: lists whom gateways tell of, and says who of its own patients they are.',
  usage: ['patient list [--json]', 'patient map PSEUDONYM --identifier SYSTEM|VALUE [--name NAME]', 'patient unmap PSEUDONYM'],
  details: `Gateways name nobody: a hospital knows people and rooms by pseudonyms, which change every 30 days and are joined here to the first that was heard.
Whoever runs the gateway can say the pseudonym of a patient for this hospital ("vitalgate pseudonym"). Mapped to an identifier, the person bears it
in everything that leaves this hospital. Every pseudonym of a person does, also one that is not heard of yet. SYSTEM is a URI that says who gives
such identifiers, such as urn:oid:1.2.36.146.595.217.0.1. Works with the running node, or on its data folder while none runs.`,
  options: {
    ...CONFIG_OPTIONS,
    identifier: { type: 'string', value: 'SYSTEM|VALUE', help: 'map: the identifier of the patient, or of the room, in this hospital' },
    name: { type: 'string', value: 'NAME', help: 'map: a name for people' },
    json: { type: 'boolean', help: 'list: print JSON' },
  },
  run: async (args, environment) => {
    const [what, pseudonym, ...more] = args.positionals;
    if (more.length > 0 || (what === 'list' && pseudonym !== undefined)) throw new UsageError(`unexpected: ${args.positionals.slice(1).join(' ')}`);
    switch (what) {
      case 'list': return await list(args, environment);
      case 'map': return await map(pseudonymOf(pseudonym), args, environment);
      case 'unmap': return await unmap(pseudonymOf(pseudonym), args, environment);
      case undefined:
      default: throw new UsageError(`patient ${what ?? ''}: expected list, map or unmap`);
    }
  },
};

function pseudonymOf(text: string | undefined): string {
  if (text === undefined) throw new UsageError('whom? Give a pseudonym; "vitalgate patient list" says which there are');
  assertPseudonym(text);
  return text;
}

async function list(args: Arguments, environment: Environment): Promise<number> {
  const [people, { waiting, bad, behind }] = await asking(args, environment, async (api) => [await api.people(), await api.opening()] as const);
  for (const line of args.values['json'] === true ? people.map((each) => JSON.stringify(each)) : peopleTable(people)) environment.out(line);
  if (behind > 0) environment.err(`${counted(behind, 'release')} ${behind === 1 ? 'is' : 'are'} not opened yet`);
  if (waiting > 0) environment.err(`${counted(waiting, 'payload')} of blocks that are not here yet`);
  if (bad > 0) environment.err(`${bad} of the payloads and content keys did not open or did not fit: "vitalgate released" says which`);
  return 0;
}

function peopleTable(people: readonly ListedPerson[]): readonly string[] {
  if (people.length === 0) return ['no gateway has told of anybody yet'];
  const rows = people.map(({ person, kind, identity, last }) => [
    person, kind, last === null ? '-' : new Date(last).toISOString().slice(0, 16).replace('T', ' '), identity === null ? '-' : `${identity.system}|${identity.value}`, identity?.name ?? '-',
  ]);
  return table([['PSEUDONYM', 'KIND', 'LAST (UTC)', 'IDENTIFIER', 'NAME'], ...rows]);
}

async function map(pseudonym: string, args: Arguments, environment: Environment): Promise<number> {
  const [identifier, name] = [textOf(args, 'identifier'), textOf(args, 'name')];
  // The first bar ends the system: a value may hold another.
  const [, system, value] = /^([^|]+)\|(.+)$/.exec(identifier ?? '') ?? [];
  if (system === undefined || value === undefined) throw new UsageError('who is that? Give --identifier SYSTEM|VALUE, for example "urn:oid:1.2.36.146.595.217.0.1|12345"');
  await asking(args, environment, (api) => api.mapPerson(pseudonym, { system, value, ...(name !== undefined && { name }) }));
  environment.out(`${pseudonym} is ${system}|${value}${name === undefined ? '' : ` (${name})`}`);
  return 0;
}

async function unmap(pseudonym: string, args: Arguments, environment: Environment): Promise<number> {
  await asking(args, environment, (api) => api.unmapPerson(pseudonym));
  environment.out(`${pseudonym} is mapped to nobody`);
  return 0;
}

/** With the node that runs on the data folder or, when none runs, with the folder itself. */
async function asking<T>(args: Arguments, environment: Environment, work: (api: PatientApi) => Promise<T>): Promise<T> {
  // Whose blocks are taken is not asked here.
  const { data, store, durability } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
  const socket = hospitalSocketIn(data);
  if (await controlAnswers(socket)) return await work(patientClient(socket));
  openDataFolder(data);
  const stores = await environment.openBlocks(data, { readOnly: false, store, durability });
  try {
    return await work(patientApiOf(stores, () => openingAtRest(stores)));
  } finally {
    await stores.close();
  }
}
