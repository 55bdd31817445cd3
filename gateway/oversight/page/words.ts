/** What the page says. */

import { Bytes, formatBytes, formatDuration, Millis } from '../../quantity.ts';
import type { GatewayState, GatewayView } from '../gateway-book.ts';
import type { NodeStatus } from '../node-status.ts';

export const STATE_WORDS: Readonly<Record<GatewayState, string>> = { forked: '✗ Forked', silent: '◔ Silent', current: '✓ Current' };

/** Why something was refused, in words; others as they are. */
const REASONS: Readonly<Record<string, string>> = {
  fork: 'for a lane with two histories',
  bad_signature: 'not signed with the key of its gateway',
  not_admitted: 'from a gateway that is not on the list of this node',
  unknown_chain: 'of a chain of which no first block is here',
  misplaced: 'for another place than the block says',
  malformed: 'no block that could be read',
  not_canonical: 'not written in the one form there is',
  revoked_key: 'signed with a key that was replaced',
  wrong_prev: 'not following the block before it',
  insufficient_work: 'without the work that the chain asks for',
};
export const reasonIn = (reason: string): string => REASONS[reason] ?? reason.replaceAll('_', ' ');

/** "3 min"; of nothing, a dash. */
export function span(duration: number | null): string {
  if (duration === null) return '–';
  return duration < 0 ? `−${span(-duration)}` : formatDuration(Millis(duration < 10_000 ? Math.round(duration / 100) * 100 : Math.round(duration / 1000) * 1000));
}

export const size = (bytes: number): string => formatBytes(Bytes(bytes));
export const count = (number: number): string => number.toLocaleString('en');
export const many = (number: number, one: string, more = `${one}s`): string => `${count(number)} ${number === 1 ? one : more}`;

/** In the time zone of whoever looks. */
export function instant(time: number | null): string {
  return time === null ? '–' : new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

export type Notice = Readonly<{ kind: 'bad' | 'warning'; title: string; text: string }>;

/** What somebody has to know at once, the worst first. */
export function noticesOf({ store, disk, gateways, outputs }: NodeStatus): readonly Notice[] {
  const troubled = outputs.filter(({ state }) => state === 'failing');
  const notices: (Notice | false)[] = [
    store.state === 'failing' && { kind: 'bad', title: 'The store fails', text: `Nothing is taken or countersigned until it works again; gateways keep what they have and offer it again. ${store.fault ?? ''}` },
    gateways.forked > 0 && {
      kind: 'bad', title: gateways.forked === 1 ? 'One gateway has told two histories' : `${count(gateways.forked)} gateways have told two histories`,
      text: 'Nothing more of such a lane is countersigned. Open its details: there is the evidence, and what to do.',
    },
    disk !== null && disk.free < 1024 ** 3 && { kind: 'bad', title: 'The disk is nearly full', text: `${size(disk.free)} are left where the data folder is. A full disk takes no more blocks.` },
    gateways.silent > 0 && {
      kind: 'warning', title: gateways.silent === 1 ? 'One gateway is silent' : `${count(gateways.silent)} gateways are silent`,
      text: 'Nothing came for longer than is usual for them. Their alarms are told where they stand all the same; here they are missing.',
    },
    troubled.length > 0 && { kind: 'warning', title: many(troubled.length, 'output does not get through', 'outputs do not get through'), text: troubled.map(({ name, lastError }) => `${name}: ${lastError ?? 'failing'}`).join('; ') },
  ];
  return notices.filter((notice) => notice !== false);
}

/** What to do about one gateway; nothing where all is well. */
export function adviceFor({ state, quiet, expected, lanes }: GatewayView): readonly string[] {
  switch (state) {
    case 'forked': {
      const where = lanes.flatMap(({ lane, fork }) => (fork === null ? [] : [`the ${lane} lane at block ${count(fork)}`])).join(' and ');
      return [
        `The gateway's key has signed two different histories: ${where}. Either an old copy of its disk runs a second time, or somebody else has its key.`,
        'Download the evidence and keep it: it proves itself, to anybody, with "vitalgate verify fork".',
        'Find out whether two machines run with this key, and stop both. What was countersigned before stays good.',
        'It cannot be mended, so that lane is countersigned no more. Set the gateway up again with an empty data folder: it begins a new chain, with a new key.',
      ];
    }
    case 'silent':
      return [
        `Nothing came for ${span(quiet)}; it is called silent after ${span(expected)}: three times what is usual for it, and at least 5 min.`,
        'Is it switched on, and has it a link? On the gateway itself "vitalgate status" and "vitalgate links" say what is in the way. It keeps what it has and sends it as soon as it can.',
      ];
    case 'current':
      return [];
  }
}
