import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { Child, freePort } from './child.ts';

const LAUNCHER = resolve(import.meta.dirname, '../../gateway/vitalgate');

/** A hospital node as a user starts it. It speaks plain HTTP, as one behind a proxy on the same machine does: what TLS costs is no part of judging. */
export class HospitalProcess {
  readonly url: string;
  readonly data: string;
  readonly #child: Child;

  private constructor(child: Child, url: string, data: string) {
    this.#child = child;
    this.url = url;
    this.data = data;
  }

  /** `settings`: of the upstream section, besides where it listens. `like`: another process of the same hospital, whose keys it has, too. */
  static async start(folder: string, settings: Readonly<Record<string, unknown>>, signal: AbortSignal, like?: HospitalProcess): Promise<HospitalProcess> {
    const port = await freePort();
    const data = join(folder, `data-${port}`);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    if (like !== undefined) for (const file of readdirSync(like.data).filter((name) => name.endsWith('.key'))) copyFileSync(join(like.data, file), join(data, file));
    const config = join(folder, `hospital-${port}.yaml`);
    writeFileSync(config, stringify({ upstream: { data, listen: `127.0.0.1:${port}`, gateways: 'open', tls: 'none', ...settings } }));
    const url = `http://127.0.0.1:${port}`;
    const child = new Child('vitalgate upstream', LAUNCHER, ['upstream', '--config', config], join(folder, `hospital-${port}.log`));
    try {
      await child.until('/readyz', () => isReady(url), signal);
    } catch (error) {
      await child.stop();
      throw error;
    }
    return new HospitalProcess(child, url, data);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.#child.kill();
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false;
  }
}
