/** Node-RED as part of a gateway: its folder and keys, whom its flows act as, and who is let in to it. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayConfig } from './config/schema.ts';
import { keyFilesIn } from './key-files.ts';
import { FlowFiles, type FlowCopy } from './nodered/flow-files.ts';
import { NodeRed, nodeRedFolderIn, type NodeRedStatus } from './nodered/node-red.ts';
import { passFor } from './nodered/child-words.ts';
import { secretIn } from './operations/data-folder.ts';
import type { Logger } from './operations/log.ts';
import type { People } from './people/people.ts';
import type { Millis } from './quantity.ts';
import type { FlowsDoor } from './web/flows-door.ts';

export type FlowsHostOptions = Readonly<{
  config: GatewayConfig;
  people: Pick<People, 'takeIn'>;
  random: (size: number) => Uint8Array;
  uptime: () => Millis;
  log: Logger;
  serve: boolean;
}>;

/** Nodes that speak the contract of flows/, where they are part of this program. */
const OWN_PALETTE = fileURLToPath(new URL('../flows', import.meta.url));

/** What the flows of this gateway are called where somebody did something. */
export const FLOWS = 'flows';

export class FlowsHost implements FlowsDoor {
  readonly #options: FlowsHostOptions;
  readonly #files: FlowFiles;
  #nodeRed: NodeRed | undefined;
  #door = '';

  constructor(options: FlowsHostOptions) {
    this.#options = options;
    this.#files = new FlowFiles(nodeRedFolderIn(options.config.data), () => new Date());
  }

  /** `web`: where flows find this gateway. Does nothing where the configuration has no Node-RED. */
  start(web: string): void {
    const { config: { data, timeZone, flows: { enabled, access, ...limits } }, people, random, uptime, log, serve } = this.#options;
    if (!enabled || !serve) return;
    const { secret } = secretIn(keyFilesIn(data), 'flows.key', () => random(32));
    let takeBack = (): void => undefined;
    this.#nodeRed = new NodeRed({
      ...limits, timeZone, uptime, log,
      palettes: [...(existsSync(OWN_PALETTE) ? [OWN_PALETTE] : []), ...limits.palettes.map((path) => resolve(path))],
      files: this.#files,
      startWords: () => {
        takeBack();
        const housemate = people.takeIn({ name: FLOWS, access });
        ({ takeBack } = housemate);
        this.#door = Buffer.from(random(32)).toString('hex');
        return { credentialSecret: Buffer.from(secret).toString('hex'), doorSecret: this.#door, api: { url: web, token: housemate.secret } };
      },
    });
    this.#nodeRed.start();
  }

  get isEnabled(): boolean {
    return this.#options.config.flows.enabled;
  }

  get origin(): string | undefined {
    return this.#nodeRed?.origin;
  }

  passFor(person: string, mayEdit: boolean): string {
    return passFor(this.#door, mayEdit, person);
  }

  deployed(person: string): void {
    this.#nodeRed?.deployed(person);
  }

  /** For technical alarms; undefined where there is no Node-RED. */
  get condition(): NodeRed['condition'] | undefined {
    return this.#nodeRed?.condition;
  }

  /** Null where none runs with this gateway. */
  status(): NodeRedStatus | null {
    return this.#nodeRed?.status() ?? null;
  }

  history(): readonly FlowCopy[] {
    return this.#files.history();
  }

  /** Throws UsageError for a copy there is not. */
  async restore(copy: string): Promise<void> {
    if (this.#nodeRed !== undefined) return await this.#nodeRed.restore(copy);
    const putInPlace = this.#files.restoration(copy);
    this.#files.keep();
    putInPlace();
  }

  async stop(): Promise<void> {
    await this.#nodeRed?.stop();
  }
}
