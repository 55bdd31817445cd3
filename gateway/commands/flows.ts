import { UsageError } from '../errors.ts';
import { SCHEMAS } from '../flows/schemas.ts';
import type { NodeRedStatus } from '../nodered/node-red.ts';
import { formatBytes, formatDuration } from '../quantity.ts';
import { administer } from './administer.ts';
import type { Command, Environment } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const flowsCommand: Command = {
  name: 'flows',
  summary: 'Shows how Node-RED beside the gateway is, lists copies of its flows, and goes back to one.',
  usage: ['flows status [--json]', 'flows history [--json]', 'flows restore COPY', 'flows contract (messages | asks)'],
  details: `A copy of the flows is kept with every deploy, the last hundred. "restore" puts one in place, keeps a copy of what was there, and starts Node-RED
with it, out of safe mode, too; without a gateway that runs it changes the files. "contract" prints what flows are told and may ask as JSON Schema. Exit code of "status": 1 while flows do not run.`,
  options: {
    ...CONFIG_OPTIONS,
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [what, which, ...more] = args.positionals;
    const json = args.values['json'] === true;
    if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`);
    switch (what) {
      case 'status':
        return showStatus(await administer(args, environment, (api) => api.flowsStatus()), json, environment);
      case 'history': {
        const copies = await administer(args, environment, (api) => api.flowsHistory());
        if (json) environment.out(JSON.stringify(copies));
        else if (copies.length === 0) environment.out('no flows were deployed yet');
        else for (const line of table([['copy', 'deployed by', 'flows', 'nodes'], ...copies.map(({ copy, by, flows, nodes }) => [copy, by ?? '?', String(flows), String(nodes)])])) environment.out(line);
        return 0;
      }
      case 'restore':
        if (which === undefined) throw new UsageError('which copy? "vitalgate flows history" lists them');
        await administer(args, environment, (api) => api.restoreFlows(which));
        environment.out(`the flows are those of ${which}`);
        return 0;
      case 'contract':
        if (which !== 'messages' && which !== 'asks') throw new UsageError('which part of the contract: messages or asks');
        environment.out(JSON.stringify(SCHEMAS[which], null, 2));
        return 0;
      default:
        throw new UsageError(`"flows" takes status, history, restore or contract${what === undefined ? '' : `, not "${what}"`}`);
    }
  },
};

function showStatus(status: NodeRedStatus | null, json: boolean, { out }: Environment): number {
  const runs = status?.state === 'running' || status?.state === 'starting';
  if (json) out(JSON.stringify(status));
  else if (status === null) out('no Node-RED runs with this gateway (flows.enabled in the configuration, and a gateway that runs)');
  else for (const line of inWords(status)) out(line);
  return runs ? 0 : 1;
}

const STATES: Readonly<Record<NodeRedStatus['state'], string>> = {
  starting: 'it starts',
  running: 'flows run',
  safe: 'safe mode: no flow runs. Mend and deploy them at /flows/, or restore older ones',
  waiting: 'it has ended, and is started again soon',
  stopped: 'it is stopped',
};

function inWords({ state, pid, rss, restarts, failures, log }: NodeRedStatus): readonly string[] {
  const process = pid === null ? '' : `; process ${pid}${rss === null ? '' : `, ${formatBytes(rss)}`}`;
  return [
    `Node-RED: ${STATES[state]}${process}; started again ${restarts} times`,
    ...failures.slice(-5).map(({ why, detail, ago }) => `  ${formatDuration(ago)} ago: ${why} (${detail})`),
    ...log.slice(-10).map((line) => `  log: ${line}`),
  ];
}
