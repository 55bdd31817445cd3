import { QUARANTINE_REASONS, UsageError, type QuarantineReason } from '../errors.ts';
import type { QuarantineFilter, QuarantinePage, QuarantinedFrame, RetryPage } from '../quarantine.ts';
import { Sequence } from '../reading.ts';
import type { AdministrationApi } from '../web/control.ts';
import { administer } from './administer.ts';
import { counted, numberOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const quarantineCommand: Command = {
  name: 'quarantine',
  summary: 'Shows messages that could not be understood, and tries them again after a correction.',
  usage: [
    'quarantine list [--device ID] [--reason REASON] [--limit N] [--json]',
    'quarantine show <sequence> [--json]',
    'quarantine retry (<sequence> | --all | --device ID | --reason REASON)',
  ],
  details: `A message is never thrown away: it stays in the journal, and here stands why it, or a part of it, was not understood. After a
profile was corrected ("vitalgate reload"), a device bound or the program updated, "retry" reads it again; what is understood now
becomes readings of the time they came, on which no alarm rests. The attempt is an entry in the journal like any decision.
Reasons: ${QUARANTINE_REASONS.join(', ')}.`,
  options: {
    ...CONFIG_OPTIONS,
    device: { type: 'string', value: 'ID', help: 'Only messages of this connection' },
    reason: { type: 'string', value: 'REASON', help: 'Only messages with this reason' },
    limit: { type: 'string', value: 'N', help: 'List at most this many (default 100)' },
    all: { type: 'boolean', help: 'Try everything again' },
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, sequence] = args.positionals;
    switch (action) {
      case 'list':
        return await list(args, environment);
      case 'show':
        return await show(args, environment, sequenceIn(sequence));
      case 'retry':
        return await retry(args, environment, sequence);
      case undefined:
      default:
        throw new UsageError(`quarantine ${action ?? ''}: expected list, show or retry`);
    }
  },
};

function sequenceIn(text: string | undefined): Sequence {
  if (text === undefined) throw new UsageError('which message? Give its sequence, as "quarantine list" prints it');
  const sequence = Number(text);
  if (!Number.isSafeInteger(sequence) || sequence < 1) throw new UsageError(`"${text}" is no sequence: a whole number from 1`);
  return Sequence(sequence);
}

function filterOf(args: Arguments): QuarantineFilter {
  const [device, reason] = [textOf(args, 'device'), textOf(args, 'reason')];
  const known = QUARANTINE_REASONS.find((each): each is QuarantineReason => each === reason);
  if (reason !== undefined && known === undefined) throw new UsageError(`"${reason}" is no reason: expected one of ${QUARANTINE_REASONS.join(', ')}`);
  return { ...(device === undefined ? {} : { device }), ...(known === undefined ? {} : { reason: known }) };
}

async function list(args: Arguments, environment: Environment): Promise<number> {
  const limit = numberOf(args, 'limit', 100);
  const { quarantined, more } = await administer(args, environment, async (api) => await collect(api, filterOf(args), limit));
  if (args.values['json'] === true) {
    environment.out(JSON.stringify(quarantined));
    return 0;
  }
  for (const { sequence, device, address, decoder, rejections } of quarantined) {
    const who = address === undefined ? device : `${device} › ${address}`;
    const reasons = rejections.map(({ reason, message }) => `${reason}: ${message}`).join('; ');
    environment.out(`${String(sequence).padStart(9)}  ${who.padEnd(28)} ${(decoder === undefined ? '-' : `${decoder.name} ${decoder.version}`).padEnd(16)} ${reasons}`);
  }
  if (quarantined.length === 0) environment.out('nothing is in quarantine');
  if (more) environment.out(`and more; --limit shows them`);
  return 0;
}

async function collect(api: AdministrationApi, filter: QuarantineFilter, limit: number): Promise<Readonly<{ quarantined: QuarantinePage['quarantined']; more: boolean }>> {
  const found: QuarantinePage['quarantined'][number][] = [];
  for (let next: number | null = 1; next !== null && found.length <= limit; ) {
    const page: QuarantinePage = await api.quarantine(Sequence(next), filter);
    found.push(...page.quarantined);
    next = page.next;
  }
  return { quarantined: found.slice(0, limit), more: found.length > limit };
}

async function show(args: Arguments, environment: Environment, sequence: Sequence): Promise<number> {
  const frame = await administer(args, environment, (api) => api.quarantined(sequence));
  for (const line of args.values['json'] === true ? [JSON.stringify(frame)] : linesOf(frame)) environment.out(line);
  return 0;
}

function linesOf({ sequence, device, address, topic, source, receivedAt, clockTrust, decoder, rejections, taken = [], bytes, payload, text }: QuarantinedFrame): string[] {
  const rows: [string, string][] = [
    ['sequence', String(sequence)],
    ['device', address === undefined ? device : `${address}, behind ${device}`],
    ['came', `${receivedAt} (clock ${clockTrust}), ${source}, ${topic === '' ? 'no topic' : topic}`],
    ['decoder', decoder === undefined ? 'none: no profile reads the topic' : `${decoder.name}, version ${decoder.version}`],
    ...rejections.map(({ reason, message }): [string, string] => ['because', `${reason}: ${message}`]),
    ...(taken.length === 0 ? [] : [['understood', `${taken.length} other readings of it`] as [string, string]]),
    ['payload', `${bytes} bytes`],
  ];
  return [...rows.map(([name, value]) => `${name.padEnd(11)} ${value}`), text ?? Buffer.from(payload, 'base64').toString('hex')];
}

async function retry(args: Arguments, environment: Environment, sequence: string | undefined): Promise<number> {
  const filter = filterOf(args);
  const several = args.values['all'] === true || Object.keys(filter).length > 0;
  if (several === (sequence !== undefined)) throw new UsageError('what should be tried again? Give one sequence, or --all, --device or --reason');
  if (sequence !== undefined) {
    const one = sequenceIn(sequence);
    return await administer(args, environment, async (api) => {
      await api.retryQuarantined(one);
      return await told(api, environment, one);
    });
  }
  return await administer(args, environment, async (api) => await retryAll(api, environment, filter));
}

async function told(api: AdministrationApi, { out }: Environment, sequence: Sequence): Promise<number> {
  const [still] = (await api.quarantine(sequence)).quarantined;
  if (still?.sequence !== sequence) {
    out(`${sequence} is understood now`);
    return 0;
  }
  out(`${sequence} stays in quarantine: ${still.rejections.map(({ reason, message }) => `${reason}: ${message}`).join('; ')}`);
  return 1;
}

async function retryAll(api: AdministrationApi, { out, err }: Environment, filter: QuarantineFilter): Promise<number> {
  const before = (await api.status()).totals.recovered;
  let retried = 0;
  for (let next: number | null = 1; next !== null; ) {
    const page: RetryPage = await api.retryQuarantine(Sequence(next), filter);
    retried += page.retried;
    next = page.next;
    if (next !== null) err(`${counted(retried, 'message')} tried again …`);
  }
  const recovered = (await api.status()).totals.recovered - before;
  out(`${counted(retried, 'message')} tried again, ${counted(recovered, 'reading')} recovered`);
  return 0;
}
