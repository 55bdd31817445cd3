import { UsageError } from '../errors.ts';
import { hospitalClient } from '../hospital-control.ts';
import { hospitalSocketIn } from '../hospital-staff.ts';
import { controlAnswers } from '../web/control.ts';
import type { Hl7OutputApi, RefusedMessage } from '../web/control-hl7.ts';
import type { Arguments, Command, Environment } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

export const hl7Command: Command = {
  name: 'hl7',
  summary: 'On a hospital\'s machine: how far integration engines have what they are sent, and what they refuse.',
  usage: ['hl7 status [--json]', 'hl7 refused DESTINATION [--json]', 'hl7 again DESTINATION'],
  details: `A message that an engine of upstream.hl7 refuses is set aside, so that it keeps nothing up; the rest goes on. When the reason is mended, "again"
sends what was set aside, as consent stands then. An engine's own words about it are in its log, under the id of the message.
Works with the running node.`,
  options: { ...CONFIG_OPTIONS, json: { type: 'boolean', help: 'status, refused: print JSON' } },
  run: async (args, environment) => {
    const [what, destination, ...more] = args.positionals;
    if (more.length > 0 || (what === 'status' && destination !== undefined)) throw new UsageError(`unexpected: ${args.positionals.slice(1).join(' ')}`);
    switch (what) {
      case 'status': return await status(args, environment);
      case 'refused': return await refused(named(destination), args, environment);
      case 'again': return await again(named(destination), args, environment);
      case undefined:
      default: throw new UsageError(`hl7 ${what ?? ''}: expected status, refused or again`);
    }
  },
};

function named(text: string | undefined): string {
  if (text === undefined) throw new UsageError('which engine? Give its name of upstream.hl7; "vitalgate hl7 status" says which there are');
  return text;
}

async function apiOf(args: Arguments): Promise<Hl7OutputApi> {
  // Whose blocks are taken is not asked here.
  const { data } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
  const socket = hospitalSocketIn(data);
  if (!(await controlAnswers(socket))) throw new UsageError(`no hospital node runs on the data folder ${data}: it alone sends, and knows how it goes`);
  return hospitalClient(socket);
}

async function status(args: Arguments, { out }: Environment): Promise<number> {
  const outputs = await (await apiOf(args)).hl7Outputs();
  if (args.values['json'] === true) for (const each of outputs) out(JSON.stringify(each));
  else if (outputs.length === 0) out('no engine is configured (upstream.hl7)');
  else for (const line of table([['ENGINE', 'BEHIND', 'REFUSED', 'SENT', 'NOW'], ...outputs.map(({ destination, behind, setAside, sent, lastError }) => [destination, String(behind ?? '?'), String(setAside), String(sent), lastError ?? 'well'])])) out(line);
  return 0;
}

async function refused(destination: string, args: Arguments, { out }: Environment): Promise<number> {
  const api = await apiOf(args);
  let found = 0;
  for (let page = await api.refusedMessages(destination, 0); page.length > 0; page = await api.refusedMessages(destination, page.at(-1)?.number ?? 0)) {
    for (const each of page) out(args.values['json'] === true ? JSON.stringify(each) : lineOf(each));
    found += page.length;
  }
  if (found === 0 && args.values['json'] !== true) out(`${destination} refuses nothing`);
  return 0;
}

const lineOf = ({ at, number, kind, controlId, reason }: RefusedMessage): string => `${new Date(at).toISOString()} record ${number} ${kind} ${controlId} ${reason}`;

async function again(destination: string, args: Arguments, { out }: Environment): Promise<number> {
  out(`${await (await apiOf(args)).sendAgain(destination)} are sent again`);
  return 0;
}
