/** A hospital that sends, and engines that take what it sends: one of a library by others, and one that misbehaves as it is told. */

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { KindOfMessage } from '../../gateway/hl7/messages.ts';
import type { Destination, Outcome, OutputOptions } from '../../gateway/hl7/output.ts';
import { startHl7Outputs, type Hl7Outputs } from '../../gateway/hl7/outputs.ts';
import type { SetAside } from '../../gateway/hl7/set-aside.ts';
import { Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import type { OutputGate, OutputRecipient } from '../../gateway/records/output-gate.ts';
import type { RecordLog } from '../../gateway/records/record-log.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { StoredLeases } from '../../gateway/store/lease-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredOutputs } from '../../gateway/store/record-store.ts';
import { StoredRefusedMessages } from '../../gateway/store/refused-message-store.ts';
import { systemTime } from '../../gateway/uplink/retry.ts';
import { ADDRESSING, TIME } from './records.ts';

/** Records in memory. */
class MemoryLog implements RecordLog {
  readonly #records: HospitalRecord[] = [];
  readonly #listeners = new Set<() => void>();

  add(...records: readonly HospitalRecord[]): void {
    this.#records.push(...records);
    for (const listener of this.#listeners) listener();
  }

  erase(number: number): void {
    const at = this.#records.findIndex((record) => record.number === number);
    if (at !== -1) this.#records.splice(at, 1);
  }

  after(number: number, limit: number): Promise<readonly HospitalRecord[]> {
    return Promise.resolve(this.#records.filter((record) => record.number > number).slice(0, limit));
  }

  async *of(): AsyncIterable<HospitalRecord> {
    yield* [];
  }

  record(chain: string, entry: number): Promise<HospitalRecord | undefined> {
    return Promise.resolve(this.#records.find((record) => record.chain === chain && record.entry === entry));
  }

  subjects(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  newest(): Promise<number> {
    return Promise.resolve(this.#records.at(-1)?.number ?? 0);
  }

  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Wakes whoever waits whenever something happened. */
export class Happenings {
  #next = Promise.withResolvers<void>();

  happened(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  /** Waits until something holds; it is asked whenever something happened. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#next.promise;
  }
}

/** What a hospital keeps, and the outputs that run over it, which may be stopped and started. */
export class Sender implements AsyncDisposable {
  readonly log = new MemoryLog();
  readonly happenings = new Happenings();
  readonly outcomes: Outcome[] = [];
  readonly shownTo: OutputRecipient[] = [];
  readonly warnings: object[] = [];
  withheld: (record: HospitalRecord) => boolean = () => false;
  readonly #store = openMemoryStore();
  readonly #destination: Destination;
  readonly #options: Partial<OutputOptions>;
  #outputs: Hl7Outputs | undefined;

  constructor(port: number, parts: Partial<Destination> = {}, options: Partial<OutputOptions> = {}) {
    this.#destination = {
      name: 'engine', address: { host: '127.0.0.1', port }, addressing: ADDRESSING, purpose: 'TREAT', what: ['alarms', 'observations'],
      wanted: { leastPriority: 'low', summaries: 'quarter', rooms: true }, times: { connect: Seconds(5), acknowledgement: Seconds(20) }, retries: 2, retry: { base: Millis(2), cap: Millis(4) }, ...parts,
    };
    this.#options = options;
  }

  get outputs(): Hl7Outputs {
    if (this.#outputs === undefined) throw new Error('not started');
    return this.#outputs;
  }

  /** Begins where it had ended; a new one begins with what comes from now on. */
  start(holder = 'one'): Hl7Outputs {
    const now = (): UnixMillis => UnixMillis(Date.now());
    const gate: OutputGate = {
      show: (recipient, records) => {
        this.shownTo.push(recipient);
        return Promise.resolve(records.filter((record) => !this.withheld(record)));
      },
      mayKnow: () => Promise.resolve(true),
    };
    this.#outputs = startHl7Outputs({
      destinations: [this.#destination], log: this.log, cursors: new StoredOutputs(this.#store), setAside: new StoredRefusedMessages(this.#store), leases: new StoredLeases(this.#store, now), gate,
      holder, clock: () => TIME, time: systemTime, random: () => 0.5,
      logger: { info: () => undefined, warn: (fields) => void this.warnings.push(fields) },
      onOutcome: (_, outcome) => {
        this.outcomes.push(outcome);
        this.happenings.happened();
      },
      ...this.#options,
    });
    return this.#outputs;
  }

  /** Started, and it has looked where it begins. */
  async started(): Promise<this> {
    const outputs = this.start();
    while (outputs.status()[0]?.behind === null) await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  async stop(): Promise<void> {
    await this.#outputs?.stop();
  }

  /** Waits for so many messages with that outcome since the beginning. */
  async counted(outcome: Outcome, times: number): Promise<void> {
    await this.happenings.until(() => this.outcomes.filter((each) => each === outcome).length >= times);
  }

  async setAside(): Promise<readonly SetAside[]> {
    return await this.outputs.setAside('engine', 0, 1000);
  }

  async cursor(kind: KindOfMessage): Promise<number> {
    return await new StoredOutputs(this.#store).load(`hl7/engine/${kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A message as it came, and the connection it came over. */
export type Received = Readonly<{ id: string; text: string; socket: Socket; connection: number }>;

export const acknowledgement = (code: string, id: string, ...more: readonly string[]): string => [String.raw`MSH|^~\&|ENGINE||VITALGATE||20260101||ACK|A1|P|2.6`, `MSA|${code}|${id}`, ...more].join('\r') + '\r';
export const frame = (text: string): string => `\u000B${text}\u001C\r`;
/** MSH-10. */
const controlId = (text: string): string => text.split('|')[9] ?? '';

/** An engine on a free port that does with every message what it is told. */
export class RawEngine implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly happenings = new Happenings();
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(answer: (received: Received, engine: RawEngine) => void, tls: TlsOptions | undefined) {
    const take = (socket: Socket): void => this.#take(socket, answer);
    this.#server = tls === undefined ? createServer({ allowHalfOpen: true }, take) : createTlsServer(tls, take);
  }

  static async listen(answer: (received: Received, engine: RawEngine) => void, { port = 0, tls }: Readonly<{ port?: number; tls?: TlsOptions }> = {}): Promise<RawEngine> {
    const engine = new RawEngine(answer, tls);
    engine.#server.listen(port, '127.0.0.1');
    await once(engine.#server, 'listening');
    return engine;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get ids(): readonly string[] {
    return this.received.map(({ id }) => id);
  }

  async has(messages: number): Promise<void> {
    await this.happenings.until(() => this.received.length >= messages);
  }

  #take(socket: Socket, answer: (received: Received, engine: RawEngine) => void): void {
    const connection = ++this.#connections;
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let rest = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\u001C\r');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const text = part.slice(part.lastIndexOf('\u000B') + 1);
        const received = { id: controlId(text), text, socket, connection };
        this.received.push(received);
        answer(received, this);
        this.happenings.happened();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
