import { PeerError } from '../errors.ts';
import { hospitalClient } from '../hospital-control.ts';
import { hospitalSocketIn } from '../hospital-staff.ts';
import type { GatewayView } from '../oversight/gateway-book.ts';
import type { NodeStatus, StatusAnswer } from '../oversight/node-status.ts';
import type { OutputStatus } from '../oversight/output-status.ts';
import { Bytes, formatBytes, formatDuration, Millis } from '../quantity.ts';
import { controlAnswers } from '../web/control.ts';
import { counted, textOf, type Arguments, type Environment } from './command.ts';
import { table } from './device-list.ts';
import { upstreamConfig } from './settings.ts';

const ASKED = ['order', 'limit', 'after', 'state', 'search'] as const;

export const STATUS_OPTIONS = {
  order: { type: 'string', value: 'WORD', help: 'status: chain (default), lag, quiet, failures or gaps: those with most first' },
  limit: { type: 'string', value: 'N', help: 'status: gateways on a page, up to 1000 (default 100)' },
  after: { type: 'string', value: 'NEXT', help: 'status: the page after the one that ended with this' },
  state: { type: 'string', value: 'WORD', help: 'status: only those that are current, silent or forked' },
  search: { type: 'string', value: 'TEXT', help: 'status: only those whose chain, key or name begins with this' },
} as const;

/** How the node on this data folder does. Throws {@link PeerError} when none runs there. */
export async function hospitalStatus(args: Arguments, { out }: Environment): Promise<number> {
  const { data } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
  const socket = hospitalSocketIn(data);
  if (!(await controlAnswers(socket))) throw new PeerError('VG_PEER_UNREACHABLE', `no hospital node runs on ${data}: start it with "vitalgate upstream"`);
  const answer = await hospitalClient(socket).status(Object.fromEntries(ASKED.flatMap((name) => {
    const value = textOf(args, name);
    return value === undefined ? [] : [[name, value]];
  })));
  for (const line of args.values['json'] === true ? [JSON.stringify(answer)] : linesOf(answer)) out(line);
  return 0;
}

function linesOf({ node, gateways, next, matching }: StatusAnswer): readonly string[] {
  return [
    ...nodeLines(node),
    '',
    ...(gateways.length === 0 ? ['no gateway to show'] : table([['CHAIN', 'GATEWAY', 'STATE', 'ALARM', 'RECORD', 'NEWEST', 'CAME', 'GAPS', 'RECEIPTS', 'REFUSED'], ...gateways.map((each) => rowOf(each))])),
    ...(next === null ? [] : [`${gateways.length} of ${matching}; the next: --after ${next}`]),
    ...gateways.flatMap(({ chain, lanes }) => lanes.flatMap(({ lane, fork }) => (fork === null ? [] : [forkLine(chain, lane, fork)]))),
  ];
}

const forkLine = (chain: string, lane: string, height: number): string =>
  `FORKED ${chain}: its key signed two histories of the ${lane} lane at block ${height}, which is countersigned no more. Keep the evidence (/v1/forks/${chain}/${lane}), ` +
  'stop every machine that has the key, and let the gateway begin a new chain';

function nodeLines({ name, fingerprint, version, uptime, store, disk, gateways, totals, outputs }: NodeStatus): readonly string[] {
  const { known, current, silent, forked, isRead } = gateways;
  const failures = Object.entries(totals.failures).map(([reason, count]) => `${reason} ${count}`);
  return [
    `hospital ${name}, key ${fingerprint}, version ${version}, running for ${roughly(uptime)}`,
    `store     ${store.kind}, ${store.fault === null ? store.state : `FAILING: ${store.fault}`}`,
    `disk      ${disk === null ? 'not measured' : `${formatBytes(disk.used)} used, ${formatBytes(disk.free)} free`}`,
    `gateways  ${known}: ${current} current, ${silent} silent, ${forked} forked${isRead ? '' : ' (what is in the store is still being read)'}`,
    'by this process since it started; heads are those of the store:',
    `  taken     ${counted(totals.blocks, 'block')} (${formatBytes(Bytes(totals.bytes))}), ${counted(totals.receipts, 'receipt')}, ${counted(totals.releases, 'release')} with ${counted(totals.payloads, 'payload')}`,
    `  refused   ${counted(totals.gaps, 'gap')}, ${counted(totals.forks, 'fork')}${failures.length === 0 ? '' : `, ${failures.join(', ')}`}`,
    ...outputs.map(outputLine),
  ];
}

const outputLine = ({ name, kind, state, behind, unit, lastError }: OutputStatus): string =>
  `output    ${name} (${kind}): ${state}${behind === null ? '' : `, ${behind} ${unit} behind`}${lastError === null ? '' : ` (${lastError})`}`;

function rowOf({ chain, name, fingerprint, state, lanes, lag, quiet, gaps, receipts, failures }: GatewayView): readonly string[] {
  const heightOf = (which: string): string => String(lanes.find(({ lane }) => lane === which)?.height ?? '-');
  const refused = Object.values(failures).reduce((sum, count) => sum + count, 0);
  const age = lag === null ? '?' : `${roughly(lag)} old`;
  return [chain, name ?? `${fingerprint.slice(0, 12)}…`, state.toUpperCase(), heightOf('alarm'), heightOf('record'), age, `${roughly(quiet)} ago`, String(gaps), String(receipts), String(refused)];
}

/** "3 min", "2.1 d"; negative for what a clock that is ahead has not reached. */
const roughly = (duration: number): string => (duration < 0 ? `-${roughly(-duration)}` : formatDuration(Millis(Math.round(duration / 1000) * 1000)));
