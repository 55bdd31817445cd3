import { UsageError } from '../errors.ts';
import { READING_STATES, Sequence } from '../reading.ts';
import type { Trace } from '../trace.ts';
import { administer } from './administer.ts';
import { numberOf, type Command } from './command.ts';
import { deviceIn } from './device-words.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const traceCommand: Command = {
  name: 'trace',
  summary: 'Follows one message of a device through the five states, to its block, its proof and its receipts.',
  usage: ['trace <device> [--last | --sequence N] [--json]'],
  details: 'N is the place in the gateway\'s journal. Every hash and signature on the way is checked before it is shown.',
  options: {
    ...CONFIG_OPTIONS,
    last: { type: 'boolean', help: 'The device\'s last message (default)' },
    sequence: { type: 'string', value: 'N', help: 'The message with this journal sequence' },
    json: { type: 'boolean', help: 'Print JSON, proofs included' },
  },
  run: async (args, environment) => {
    const device = deviceIn(args.positionals[0]);
    if (args.values['last'] === true && args.values['sequence'] !== undefined) throw new UsageError('give --last or --sequence, not both');
    const sequence = args.values['sequence'] === undefined ? undefined : Sequence(numberOf(args, 'sequence', 0));
    if (sequence === 0) throw new UsageError('--sequence counts from 1');
    const trace = await administer(args, environment, (api) => api.trace(device, sequence));
    if (args.values['json'] === true) environment.out(JSON.stringify(trace));
    else for (const line of describe(trace)) environment.out(line);
    return 0;
  },
};

function describe(trace: Trace): string[] {
  const reached = READING_STATES.indexOf(trace.state);
  const lines = new Map(READING_STATES.map((state, i) => [state, i <= reached ? linesFor(state, trace) : ['not yet']]));
  return [...lines].flatMap(([state, [first = '', ...more]], i) => [
    `${i <= reached ? '●' : '○'} ${state.padEnd(10)} ${first}`,
    ...more.map((line) => `${' '.repeat(13)}${line}`),
  ]);
}

function linesFor(state: (typeof READING_STATES)[number], trace: Trace): string[] {
  const { accepted, sealed, receipts, quorum } = trace;
  switch (state) {
    case 'received':
      return [`${accepted.receivedAt} from ${accepted.device} (${accepted.subject ?? 'bound to nobody'}), QoS ${accepted.qos}, clock ${accepted.clockTrust}`, accepted.payload];
    case 'accepted':
      return [`journal sequence ${accepted.sequence}, ${accepted.bytes} bytes, on disk${accepted.qos === 0 ? '; QoS 0 expects no acknowledgement' : ' before it was acknowledged'}`];
    case 'sealed':
      return sealed === undefined ? [] : sealedLines(sealed);
    case 'relayed':
      return receipts.map(({ hospital, height, time }) => `${hospital} countersigned block ${height} at ${time}`);
    case 'receipted':
      return [`${receipts.length} of ${quorum.of} hospitals countersigned, ${quorum.needed} needed`];
  }
}

function sealedLines({ lane, height, block, chain, entry, evidence, inclusion }: NonNullable<Trace['sealed']>): string[] {
  return [
    `block ${height} of lane ${lane}, ${block}`,
    `chain ${chain}, entry ${entry}`,
    `evidence covers frames ${evidence.first} to ${evidence.last}; this one is leaf ${evidence.index} of ${evidence.size}: proof of ${evidence.proof.length} hashes checked`,
    `entry is leaf ${inclusion.index} of ${inclusion.size} under root ${inclusion.root.slice(0, 16)}…: proof of ${inclusion.proof.length} hashes checked`,
  ];
}
