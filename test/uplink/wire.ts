/** A network between gateway and hospital: a TCP proxy that a test can pull out, re-plug and make lose an answer. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number | undefined;
  #cutNextReply = false;
  /** Answers to offered blocks that were lost on the way back. */
  cuts = 0;

  static async laid(): Promise<Wire> {
    const wire = new Wire();
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  private constructor() {
    this.#server = createServer((gateway) => this.#join(gateway));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Leads to the node at that address from now on. */
  plug(address: string): void {
    this.#target = Number(new URL(address).port);
  }

  /** Cuts what is connected and refuses what comes. */
  unplug(): void {
    this.#target = undefined;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes the next blocks to the hospital and loses its answer, connection and all. */
  loseNextReply(): void {
    this.#cutNextReply = true;
  }

  #join(gateway: Socket): void {
    if (this.#target === undefined) {
      gateway.destroy();
      return;
    }
    const hospital = connect(this.#target, '127.0.0.1');
    let putting = false;
    gateway.on('data', (bytes) => {
      const method = /^(PUT|POST|GET) /.exec(bytes.toString('latin1', 0, 5))?.[1];
      if (method !== undefined) putting = method !== 'GET';
      hospital.write(bytes);
    });
    hospital.on('data', (bytes) => {
      if (!putting || !this.#cutNextReply) {
        gateway.write(bytes);
        return;
      }
      this.#cutNextReply = false;
      this.cuts += 1;
      gateway.destroy();
    });
    this.#tie(gateway, hospital);
    this.#tie(hospital, gateway);
  }

  #tie(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unplug();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
