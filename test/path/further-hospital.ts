import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts, vitalgate, type Program } from './program.ts';
import type { Site } from './site.ts';

/** A hospital node beside the one of the site. */
export class FurtherHospital {
  readonly #site: Site;
  readonly name: string;
  readonly port: number;
  readonly key: string;

  static async of(site: Site, name: string): Promise<FurtherHospital> {
    const [port = 0] = await freePorts(1);
    const { stdout } = await vitalgate('upstream', '--print-key', '--data', join(site.folder, name));
    return new FurtherHospital(site, name, port, stdout.trim());
  }

  private constructor(site: Site, name: string, port: number, key: string) {
    [this.#site, this.name, this.port, this.key] = [site, name, port, key];
    this.configure();
  }

  /** Nodes that it copies from. */
  configure(peers: readonly object[] = []): void {
    const { name, data, port } = this;
    writeFileSync(this.config, stringify({ upstream: { name, data, listen: `127.0.0.1:${port}`, gateways: 'open', peers } }), { mode: 0o600 });
  }

  get data(): string {
    return join(this.#site.folder, this.name);
  }

  get config(): string {
    return join(this.#site.folder, `${this.name}.yaml`);
  }

  get entry(): Readonly<{ name: string; url: string; key: string }> {
    return { name: this.name, url: `https://127.0.0.1:${this.port}`, key: this.key };
  }

  async start(): Promise<Program> {
    const program = this.#site.launch('upstream', '--config', this.config);
    await program.ready();
    return program;
  }
}
