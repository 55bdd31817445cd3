import type { Status } from '../administration.ts';
import { Bytes, formatBytes } from '../quantity.ts';
import { READING_STATES } from '../reading.ts';
import { administer } from './administer.ts';
import { linksInShort } from './links.ts';
import type { Command } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Shows how far messages have come, the chain, and every hospital.',
  usage: ['status [--json]'],
  options: { ...CONFIG_OPTIONS, json: { type: 'boolean', help: 'Print JSON' } },
  run: async (args, environment) => {
    const { status, links } = await administer(args, environment, async (api) => ({ status: await api.status(), links: await api.links() }));
    if (args.values['json'] === true) environment.out(JSON.stringify({ ...status, links }));
    else for (const line of [...describeStatus(status), ...linksInShort(links)]) environment.out(line);
    return 0;
  },
};

function describeStatus(status: Status): string[] {
  return [
    `chain ${status.chain}, running since ${status.startedAt}`,
    ...(status.fault === null ? [] : [`STORE FAULT, every message is refused: ${status.fault}`]),
    ...READING_STATES.map((state) => `${state.padEnd(10)} ${String(status.states[state].messages).padStart(10)} messages since the start`),
    ...status.lanes.map(({ lane, height, entries, hash }) => `lane ${lane.padEnd(7)} block ${height}, ${entries} entries, ${hash.slice(0, 16)}…`),
    ...status.relays.map(
      ({ hospital, lane, state, lag, lastError }) => `hospital ${hospital}, ${lane}: ${state}, ${lag} blocks behind${lastError === undefined ? '' : ` (${lastError})`}`,
    ),
    `last event: ${status.lastEvent ?? 'none'}`,
    ...(status.disk === null ? [] : [describeDisk(status.disk)]),
  ];
}

function describeDisk({ used, free, limit, level, written, amplification, dropped }: NonNullable<Status['disk']>): string {
  const size = (bytes: number): string => formatBytes(Bytes(Math.round(bytes)));
  const gone = Object.entries(dropped).filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what.replace('_', ' ')}`);
  return [
    `disk: ${level}, ${size(used)} of ${size(limit)}, ${size(free)} free`,
    ...(written === null ? [] : [`${size(written)} written since it was set up`]),
    ...(amplification === null ? [] : [`${amplification.toFixed(1)} bytes for each that was accepted`]),
    ...(gone.length === 0 ? [] : [`dropped since the start: ${gone.join(', ')}`]),
  ].join('; ');
}
