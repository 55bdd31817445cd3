/**
 * A TCP proxy that treats connections as bad networks do: late, stalled, reset, half closed. Connections are told apart by the address they
 * come from, so that every link of a gateway, bound to an address of its own (127.0.0.2, 127.0.0.3…), has its own troubles.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `stalled`: connections open and nothing passes, not even their end; `refused`: they are reset at once; `half-closed`: the far end is
 * closed as soon as something was sent there. Otherwise everything passes, `delay` milliseconds late in each direction.
 */
export type Weather = Readonly<{ kind: 'stalled' | 'refused' | 'half-closed' }> | Readonly<{ kind: 'fair'; delay?: number }>;

type Pair = Readonly<{ from: string; gateway: Socket; hospital: Socket }>;

const FAIR: Weather = { kind: 'fair' };

export class ChaosProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #weather = new Map<string, Weather>();
  readonly #met = new Map<string, number>();
  #target: Readonly<{ host: string; port: number }> | undefined;

  static async before(address: string | undefined): Promise<ChaosProxy> {
    const proxy = new ChaosProxy();
    if (address !== undefined) proxy.leadTo(address);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (gateway) => this.#join(gateway));
  }

  /** An address for `https:`; the port is the proxy's. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  leadTo(address: string): void {
    const { hostname, port } = new URL(address);
    this.#target = { host: hostname, port: Number(port) };
  }

  /** What happens from now on to what comes from that address, to connections that are open too. */
  change(from: string, weather: Weather): void {
    this.#weather.set(from, weather);
    for (const pair of this.#from(from)) this.#treat(pair, weather);
  }

  /** Resets what is open from that address. Returns how many connections that were. */
  reset(from: string): number {
    const open = [...this.#from(from)].filter(({ gateway }) => !gateway.destroyed);
    for (const { gateway, hospital } of open) {
      gateway.resetAndDestroy();
      hospital.resetAndDestroy();
    }
    return open.length;
  }

  /** What is open from that address passes nothing from now on, and nobody is told, as after a NAT has forgotten it; what is opened next does. */
  forget(from: string): void {
    for (const { gateway, hospital } of this.#from(from)) {
      gateway.pause();
      hospital.pause();
    }
  }

  /** How many connections ever came from that address. */
  connectionsFrom(from: string): number {
    return this.#met.get(from) ?? 0;
  }

  #join(gateway: Socket): void {
    const from = gateway.remoteAddress ?? '';
    this.#met.set(from, this.connectionsFrom(from) + 1);
    const weather = this.#weather.get(from) ?? FAIR;
    if (weather.kind === 'refused' || this.#target === undefined) {
      gateway.resetAndDestroy();
      return;
    }
    const pair = { from, gateway, hospital: connect({ ...this.#target, allowHalfOpen: true }) };
    this.#pairs.add(pair);
    this.#carry(pair, gateway, pair.hospital);
    this.#carry(pair, pair.hospital, gateway);
    this.#treat(pair, weather);
  }

  #treat({ gateway, hospital }: Pair, weather: Weather): void {
    if (weather.kind === 'stalled') {
      gateway.pause();
      hospital.pause();
    } else if (weather.kind === 'refused') {
      gateway.resetAndDestroy();
      hospital.resetAndDestroy();
    } else {
      gateway.resume();
      hospital.resume();
    }
  }

  #carry(pair: Pair, source: Socket, target: Socket): void {
    const pass = (action: () => void): void => {
      const weather = this.#weather.get(pair.from) ?? FAIR;
      const delay = weather.kind === 'fair' ? (weather.delay ?? 0) : 0;
      if (delay === 0) action();
      else setTimeout(action, delay);
    };
    source.on('data', (bytes) => pass(() => {
      if (target.destroyed) return;
      target.write(bytes);
      if (this.#weather.get(pair.from)?.kind === 'half-closed' && source === pair.gateway) pair.gateway.end();
    }));
    source.on('end', () => pass(() => target.end()));
    source.on('error', () => target.destroy());
    source.on('close', () => {
      this.#pairs.delete(pair);
      pass(() => target.destroy());
    });
  }

  *#from(from: string): Iterable<Pair> {
    for (const pair of this.#pairs) if (pair.from === from) yield pair;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { gateway, hospital } of this.#pairs) {
      gateway.destroy();
      hospital.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }
}
