import type { LinksReport } from '../administration.ts';
import { UsageError } from '../errors.ts';
import { controlSocketOf } from '../gateway.ts';
import { Bytes, formatBytes, formatDuration, Millis, Minutes } from '../quantity.ts';
import { controlAnswers, controlClient } from '../web/control.ts';
import type { Command } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';

export const linksCommand: Command = {
  name: 'links',
  summary: 'Shows every link, how each hospital is reached over it, what it has cost, and why another was used.',
  usage: ['links [--json]'],
  details: 'Asks the gateway that runs. Packets of a link must leave through its own interface: where the machine would send them elsewhere, it says so. Exit code 1: packets of a link go another way.',
  options: { ...CONFIG_OPTIONS, json: { type: 'boolean', help: 'Print JSON' } },
  run: async (args, { out }) => {
    const config = gatewayConfig(args);
    const socket = controlSocketOf(config.data);
    if (!(await controlAnswers(socket))) throw new UsageError(`no gateway runs on ${config.data}: links are followed while one does`);
    const report = await controlClient(socket).links();
    if (args.values['json'] === true) out(JSON.stringify(report));
    else for (const line of describe(report)) out(line);
    return report.links.every(({ misled }) => misled === null) ? 0 : 1;
  },
};

function describe({ links, paths, switches, relays, payloads, modems }: LinksReport): string[] {
  return [
    ...links.flatMap(({ link, at, misled, carries, dayBytes, monthBytes, left, counted }) => [
      `link ${link}: ${at}; carries ${carries}`,
      ...(misled === null ? [] : [`  MISLED: ${misled}`]),
      `  used ${size(dayBytes)} today, ${size(monthBytes)} this month${left === null ? '' : `, ${left < 0 ? `${size(Math.abs(left))} over the budget` : `${size(left)} left`}`}`,
      ...modems.filter((modem) => modem.link === link).map(describeModem),
      `  since the start ${Object.entries(counted).map(([traffic, { sent, received }]) => `${traffic} ${size(sent)} out ${size(received)} in`).join(', ')}`,
      ...paths.filter((path) => path.link === link).map(({ hospital, state, why, since, rtt, loss, clockAhead }) =>
        `  ${hospital}: ${state} for ${formatDuration(since)}, round trip ${rtt === null ? 'unknown' : formatDuration(rtt)}, loss ${Math.round(loss * 100)} % (${why})${describeClock(clockAhead)}`),
    ]),
    ...relays.map(({ hospital, lane, state, lag, lastError }) => `hospital ${hospital}, ${lane}: ${state}, ${lag} blocks behind${lastError === undefined ? '' : ` (${lastError})`}`),
    ...payloads.map(describePayloads).filter((each) => each !== ''),
    ...switches.filter(({ from }) => from !== null).map(({ hospital, traffic, from, to, why, ago }) => `${formatDuration(ago)} ago: ${traffic} to ${hospital} went from ${from} to ${to}: ${why}`),
  ];
}

/** Nothing where all is there, and nothing in the way. */
function describePayloads({ hospital, behind, held, lastError }: LinksReport['payloads'][number]): string {
  const parts = Object.entries(behind).filter(([, blocks]) => blocks > 0).map(([part, blocks]) => `${part} ${blocks} blocks behind${held.some((each) => each === part) ? ' (no link there carries them)' : ''}`);
  if (parts.length === 0 && lastError === undefined) return '';
  return `hospital ${hospital}, payloads: ${parts.join(', ') || 'up to date'}${lastError === undefined ? '' : ` (${lastError})`}`;
}

/** What is off by more than a round trip explains: nobody here knows whose clock is wrong, and receipts carry the hospital's. */
function describeClock(ahead: number | null): string {
  if (ahead === null || Math.abs(ahead) < WORTH_TELLING) return '';
  return `; its clock is ${formatDuration(Millis(Math.abs(ahead)))} ${ahead > 0 ? 'ahead of' : 'behind'} ours`;
}

const WORTH_TELLING = Minutes(1);

/** A line for each link: how hospitals are reached over it, and its modem. */
export function linksInShort({ links, paths, modems }: LinksReport): readonly string[] {
  return links.map(({ link }) => {
    const reached = paths.filter((path) => path.link === link).map(({ hospital, state }) => `${hospital} ${state}`);
    return [`link ${link}: ${reached.join(', ') || 'there is no hospital'}`, ...modems.filter((modem) => modem.link === link).map((modem) => describeModem(modem).trim())].join('; ');
  });
}

function describeModem({ model, state, why, technology, operator, signal, resets, smsSent }: LinksReport['modems'][number]): string {
  const { rsrp, rsrq, sinr, rssi } = signal;
  const heard = [
    technology, operator,
    rsrp !== undefined && `RSRP ${rsrp} dBm`, rsrq !== undefined && `RSRQ ${rsrq} dB`, sinr !== undefined && `SINR ${sinr} dB`, rssi !== undefined && `RSSI ${rssi} dBm`,
  ].filter(Boolean);
  const done = Object.entries(resets).filter(([, count]) => count > 0).map(([rung, count]) => `${count} × ${rung}`);
  return [
    `  modem ${model ?? ''}: ${state} (${why})`.replace(' :', ':'),
    ...heard,
    ...(done.length === 0 ? [] : [`reset ${done.join(', ')}`]),
    ...(smsSent === 0 ? [] : [`${smsSent} SMS sent`]),
  ].join(', ');
}

const size = (bytes: number): string => formatBytes(Bytes(bytes));
