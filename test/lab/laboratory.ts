/**
 * A house and a hospital in network namespaces of their own, with two links between them that a test pulls, starves, and makes as bad as a
 * cell at the edge of its reach. Needs root, iproute2, gcc and /dev/net/tun; everything it makes has the number of this process in its name
 * and is removed with it.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { needs, NOTE_START } from '../debian-packages.ts';

const run = promisify(execFile);

/** One way, in each direction: delay in ms, packets lost in percent, kbit/s (0: as fast as the machine). */
export type Profile = Readonly<{ delay: number; loss: number; rate: number }>;

export const PROFILES = {
  ethernet: { delay: 0.5, loss: 0, rate: 0 },
  /** A round trip of 20 ms. */
  '5g': { delay: 10, loss: 2, rate: 50_000 },
  'bad cell': { delay: 150, loss: 8, rate: 256 },
  /** What backlogs are drained over: a round trip of 80 ms. */
  backlog: { delay: 40, loss: 0, rate: 5000 },
} as const satisfies Record<string, Profile>;

export const LINKS = ['ethernet', 'cellular'] as const;
export type LabLink = (typeof LINKS)[number];

const DEVICES: Readonly<Record<LabLink, string>> = { ethernet: 'eth0', cellular: 'wwan0' };
const HOUSE: Readonly<Record<LabLink, string>> = { ethernet: '10.77.1.2', cellular: '10.77.2.2' };
const FAR: Readonly<Record<LabLink, string>> = { ethernet: '10.77.1.1', cellular: '10.77.2.1' };
/** Reached over both, as a hospital in the internet is. */
export const HOSPITAL_ADDRESS = '10.77.0.1';
export const HOSPITAL_NAME = 'hospital.lab.test';

/** Why there can be no laboratory here, and how `npm test` names the suite then. */
export function laboratoryNeeds(): Readonly<{ missing: boolean; note: string }> {
  const packages = needs('iproute2', 'gcc');
  if (packages.missing) return packages;
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    if (process.getuid?.() === 0) return packages;
  } catch {
    // Neither is there on every machine.
  }
  return { missing: true, note: ` ${NOTE_START}root and /dev/net/tun]` };
}

/** One TUN shim (tun-shim.c). */
class Shim {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<readonly [string]>;

  static async between(program: string, house: string, hospital: string, link: LabLink): Promise<Shim> {
    const shim = new Shim(spawn(program, [house, DEVICES[link], hospital, `far-${DEVICES[link]}`], { stdio: ['pipe', 'pipe', 'inherit'] }));
    await shim.#answer('ready');
    return shim;
  }

  private constructor(process: ChildProcess) {
    if (process.stdout === null) throw new Error('the shim has no output');
    this.#process = process;
    this.#lines = createInterface(process.stdout);
    this.#ended = once(process, 'exit').then(() => ['ended'] as const);
  }

  async say(line: string): Promise<void> {
    this.#process.stdin?.write(`${line}\n`);
    await this.#answer('ok');
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGTERM');
    await this.#ended;
  }

  async #answer(expected: string): Promise<void> {
    const [line] = (await Promise.race([once(this.#lines, 'line'), this.#ended])) as [string];
    if (line !== expected) throw new Error(`the shim said ${line}`);
  }
}

export class Laboratory implements AsyncDisposable {
  readonly folder: string;
  readonly #house: string;
  readonly #hospital: string;
  readonly #shims = new Map<LabLink, Shim>();

  static async build(profiles: Readonly<Record<LabLink, Profile>> = { ethernet: PROFILES.ethernet, cellular: PROFILES['5g'] }): Promise<Laboratory> {
    const lab = new Laboratory();
    try {
      await lab.#build();
      for (const link of LINKS) await lab.shape(link, profiles[link]);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor() {
    const id = `${process.pid}-${Math.floor(performance.now())}`;
    this.#house = `vg-house-${id}`;
    this.#hospital = `vg-hospital-${id}`;
    this.folder = mkdtempSync(join(tmpdir(), 'vitalgate-lab-'));
  }

  /** What a program is started under, so that it is in the house. */
  get inHouse(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#house];
  }

  get inHospital(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#hospital];
  }

  async shape(link: LabLink, { delay, loss, rate }: Profile): Promise<void> {
    await this.#of(link).say(`shape ${delay} ${loss} ${rate}`);
  }

  /** The cable is out, or in again. */
  async pull(link: LabLink, isOut = true): Promise<void> {
    await this.#of(link).say(`carrier ${isOut ? 0 : 1}`);
    if (!isOut) await this.#route(link);
  }

  /** Everything is lost, and nobody is told; or it passes again. */
  async starve(link: LabLink, isDead = true): Promise<void> {
    await this.#of(link).say(`dead ${isDead ? 1 : 0}`);
  }

  /** Takes the rule away by which packets from the address of a link leave through it. */
  async forgetRule(link: LabLink): Promise<void> {
    await run('ip', ['-n', this.#house, 'rule', 'delete', 'from', HOUSE[link], 'table', String(tableOf(link))]);
  }

  /** The resolver knows the hospital, or nobody answers it. */
  resolve(knows: boolean): void {
    const etc = `/etc/netns/${this.#house}`;
    mkdirSync(etc, { recursive: true });
    // Written in place: programs that run see the file they were started with.
    writeFileSync(join(etc, 'hosts'), `127.0.0.1 localhost\n${knows ? `${HOSPITAL_ADDRESS} ${HOSPITAL_NAME}\n` : ''}`);
    writeFileSync(join(etc, 'resolv.conf'), 'nameserver 10.77.9.9\noptions timeout:2 attempts:1\n');
  }

  /** Bytes that went over a link, both ways, as the interface in the house counts them. */
  async bytesOver(link: LabLink): Promise<number> {
    const { stdout } = await run('ip', ['-n', this.#house, '-j', '-s', 'link', 'show', DEVICES[link]]);
    const [{ stats64 }] = JSON.parse(stdout) as [{ stats64: { rx: { bytes: number }; tx: { bytes: number } } }];
    return stats64.rx.bytes + stats64.tx.bytes;
  }

  async #build(): Promise<void> {
    this.resolve(true);
    const program = join(this.folder, 'tun-shim');
    await run('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'tun-shim.c')]);
    for (const ns of [this.#house, this.#hospital]) {
      await run('ip', ['netns', 'add', ns]);
      await run('ip', ['-n', ns, 'link', 'set', 'lo', 'up']);
    }
    await run('ip', ['-n', this.#hospital, 'address', 'add', `${HOSPITAL_ADDRESS}/32`, 'dev', 'lo']);
    for (const link of LINKS) {
      this.#shims.set(link, await Shim.between(program, this.#house, this.#hospital, link));
      const far = `far-${DEVICES[link]}`;
      await run('ip', ['-n', this.#hospital, 'address', 'add', FAR[link], 'peer', HOUSE[link], 'dev', far]);
      await run('ip', ['-n', this.#hospital, 'link', 'set', far, 'up']);
      await run('ip', ['-n', this.#house, 'address', 'add', HOUSE[link], 'peer', FAR[link], 'dev', DEVICES[link]]);
      await run('ip', ['-n', this.#house, 'link', 'set', DEVICES[link], 'up']);
      await run('ip', ['-n', this.#house, 'rule', 'add', 'from', HOUSE[link], 'table', String(tableOf(link))]);
      await this.#route(link);
    }
  }

  /** As a network manager does when a link is there: packets from its address leave through it. */
  async #route(link: LabLink): Promise<void> {
    for (const more of [['table', String(tableOf(link))], ['metric', String(tableOf(link))]]) await run('ip', ['-n', this.#house, 'route', 'replace', 'default', 'via', FAR[link], 'dev', DEVICES[link], ...more]);
  }

  #of(link: LabLink): Shim {
    const shim = this.#shims.get(link);
    if (shim === undefined) throw new Error(`there is no link ${link}`);
    return shim;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const shim of this.#shims.values()) await shim.end();
    for (const ns of [this.#house, this.#hospital]) {
      await run('ip', ['netns', 'delete', ns]).catch(() => undefined);
      rmSync(`/etc/netns/${ns}`, { recursive: true, force: true });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const tableOf = (link: LabLink): number => 101 + LINKS.indexOf(link);
