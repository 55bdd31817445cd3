import { UsageError } from '../errors.ts';
import { hospitalClient } from '../hospital-control.ts';
import { hospitalSocketIn } from '../hospital-staff.ts';
import { controlAnswers } from '../web/control.ts';
import type { FhirOutputApi, RefusedResource } from '../web/control-fhir.ts';
import type { Arguments, Command, Environment } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

export const fhirCommand: Command = {
  name: 'fhir',
  summary: 'On a hospital\'s machine: how far FHIR servers have what is given to them, and what they refuse.',
  usage: ['fhir status [--json]', 'fhir refused SERVER [--json]', 'fhir retry SERVER'],
  details: `A resource that a server of upstream.fhir.push refuses for good is set aside, so that it keeps nothing up; the rest goes on. When the reason is
mended, "retry" sends again what was set aside. What a server said stands without numbers and quoted text: it may repeat what was measured.
Works with the running node.`,
  options: { ...CONFIG_OPTIONS, json: { type: 'boolean', help: 'status, refused: print JSON' } },
  run: async (args, environment) => {
    const [what, server, ...more] = args.positionals;
    if (more.length > 0 || (what === 'status' && server !== undefined)) throw new UsageError(`unexpected: ${args.positionals.slice(1).join(' ')}`);
    switch (what) {
      case 'status': return await status(args, environment);
      case 'refused': return await refused(serverNamed(server), args, environment);
      case 'retry': return await retry(serverNamed(server), args, environment);
      case undefined:
      default: throw new UsageError(`fhir ${what ?? ''}: expected status, refused or retry`);
    }
  },
};

function serverNamed(text: string | undefined): string {
  if (text === undefined) throw new UsageError('which server? Give its name of upstream.fhir.push; "vitalgate fhir status" says which there are');
  return text;
}

async function apiOf(args: Arguments): Promise<FhirOutputApi> {
  // Whose blocks are taken is not asked here.
  const { data } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
  const socket = hospitalSocketIn(data);
  if (!(await controlAnswers(socket))) throw new UsageError(`no hospital node runs on the data folder ${data}: it alone sends, and knows how it goes`);
  return hospitalClient(socket);
}

async function status(args: Arguments, { out }: Environment): Promise<number> {
  const outputs = await (await apiOf(args)).fhirOutputs();
  if (args.values['json'] === true) for (const each of outputs) out(JSON.stringify(each));
  else if (outputs.length === 0) out('no server is configured (upstream.fhir.push)');
  else for (const line of table([['SERVER', 'BEHIND', 'REFUSED', 'NOW'], ...outputs.map(({ name, through, newest, setAside, trouble = 'well' }) => [name, String(Math.max(0, newest - through)), String(setAside), trouble])])) out(line);
  return 0;
}

async function refused(server: string, args: Arguments, { out }: Environment): Promise<number> {
  const all = await (await apiOf(args)).refusedBy(server);
  for (const each of all) out(args.values['json'] === true ? JSON.stringify(each) : lineOf(each));
  if (all.length === 0 && args.values['json'] !== true) out(`${server} refuses nothing`);
  return 0;
}

const lineOf = ({ time, record, resource = 'payload', status: code, outcome }: RefusedResource): string => `${new Date(time).toISOString()} record ${record} ${resource} ${code === 0 ? '' : `${code} `}${outcome}`;

async function retry(server: string, args: Arguments, { out }: Environment): Promise<number> {
  const { before, after } = await (await apiOf(args)).retryAt(server);
  out(`${before - after} of ${before} went through, or are erased; ${after} are refused still`);
  return after === 0 ? 0 : 1;
}
