import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../firmware-sim/random.ts';

/**
 * A wire between gateway and hospital that forwards whole requests and then, by chance, breaks before a byte of the answer
 * came through. The hospital answers when it has persisted: it has the block, and the gateway cannot know.
 */
export class CuttingWire implements AsyncDisposable {
  /** Answers that were cut off. */
  cuts = 0;
  /** Probability that an answer is cut off. */
  badness = 0.5;
  /** Only answers that hold this are cut off. Default: any. */
  only = /(?:)/;
  readonly #target: number;
  readonly #chance: Pick<Random, 'between'>;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  static async between(port: number, target: number, chance: Pick<Random, 'between'>): Promise<CuttingWire> {
    const wire = new CuttingWire(target, chance);
    await new Promise<void>((resolve) => wire.#server.listen(port, '127.0.0.1', resolve));
    return wire;
  }

  private constructor(target: number, chance: Pick<Random, 'between'>) {
    this.#target = target;
    this.#chance = chance;
    this.#server = createServer((near) => this.#join(near));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect(this.#target, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.on('data', (request: Buffer) => far.write(request));
    far.on('data', (answer: Buffer) => {
      if (this.#chance.between(0, 1) >= this.badness || !this.only.test(answer.toString('latin1'))) near.write(answer);
      else {
        this.cuts += 1;
        near.resetAndDestroy();
      }
    });
  }
}
