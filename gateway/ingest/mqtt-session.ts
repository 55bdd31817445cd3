import type { Client } from 'aedes';
import type { Bytes, Millis } from '../quantity.ts';
import type { DeviceId, Frame } from '../reading.ts';
import type { Clock } from './clock.ts';
import { Pace } from './pace.ts';
import { Takeovers } from './takeovers.ts';

export const MAX_TOPIC_LENGTH = 1024;

/** Whose connection it is, where it may publish, and how fast. */
export type Session = Readonly<{ device: DeviceId; prefix: string; pace: Pace }>;

export const isOwn = (topic: string, { prefix }: Session): boolean => topic.length <= MAX_TOPIC_LENGTH && topic.startsWith(prefix);

export type Content = Pick<Frame, 'topic' | 'dup' | 'payload'>;

export function frameOf(device: DeviceId, qos: Frame['qos'], { topic, dup, payload }: Content, clock: Clock): Frame {
  return { source: 'mqtt', device, topic, qos, dup, payload, receivedAt: clock.now(), uptime: clock.uptime(), clockTrust: clock.trust() };
}

/** A proof that is being checked, and whether the device was disconnected meanwhile. */
type Attempt = Disposable & { readonly device: DeviceId; revoked: boolean };

export type SessionsOptions = Readonly<{ maxRate: number; maxRateBytes: Bytes; uptime: () => Millis }>;

/** Who is connected, device by device. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new WeakMap<Client, Session>();
  readonly #clients = new Map<DeviceId, Set<Client>>();
  readonly #attempts = new Set<Attempt>();
  /** Kept when a device goes, so that coming again is no way to a new burst. There are no more of them than registered devices. */
  readonly #paces = new Map<DeviceId, Pace>();
  /** The connection that holds a client id. */
  readonly #holders = new Map<string, Client>();
  readonly #successors = new WeakMap<Client, Client>();
  readonly #takeovers = new Takeovers();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  of(client: Client): Session | undefined {
    return this.#sessions.get(client);
  }

  /** Begins to check a proof; whoever asks for it MUST end it, and MUST await nothing between its last look at it and `begin`. */
  attempt(device: DeviceId): Attempt {
    const attempt: Attempt = { device, revoked: false, [Symbol.dispose]: () => this.#attempts.delete(attempt) };
    this.#attempts.add(attempt);
    return attempt;
  }

  /** Whether the client may have its client id: nobody has it, or whoever has it may be taken over. */
  mayHoldId(client: Client): boolean {
    const holder = this.#holders.get(client.id);
    if (holder === undefined || holder.closed) return true;
    if (!this.#takeovers.take(client.id, this.#options.uptime())) return false;
    this.#successors.set(holder, client);
    return true;
  }

  /** The client proved to be the device. */
  begin(client: Client, device: DeviceId): void {
    this.#sessions.set(client, { device, prefix: `devices/${device}/`, pace: this.#paceOf(device) });
    const clients = this.#clients.get(device) ?? new Set();
    this.#clients.set(device, clients.add(client));
    client.conn.once('close', () => {
      clients.delete(client);
      if (clients.size === 0 && this.#clients.get(device) === clients) this.#clients.delete(device);
    });
  }

  hold(client: Client): void {
    this.#holders.set(client.id, client);
  }

  /** The client's session is over. Returns whether it was taken over by another connection with its client id. */
  release(client: Client): boolean {
    if (this.#holders.get(client.id) === client) this.#holders.delete(client.id);
    const successor = this.#successors.get(client);
    return successor !== undefined && !successor.closed;
  }

  /** Ends every session of a device, also those that are about to begin, and returns the clients that had one. What they still say is nobody's. */
  end(device: DeviceId): readonly Client[] {
    for (const attempt of this.#attempts) if (attempt.device === device) attempt.revoked = true;
    const clients = [...(this.#clients.get(device) ?? [])];
    for (const client of clients) this.#sessions.delete(client);
    return clients;
  }

  #paceOf(device: DeviceId): Pace {
    const { uptime, ...rates } = this.#options;
    const pace = this.#paces.get(device) ?? new Pace({ ...rates, now: uptime() });
    this.#paces.set(device, pace);
    return pace;
  }
}
