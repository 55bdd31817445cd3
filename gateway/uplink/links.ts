/** All links, followed while the gateway runs, and every hospital over each of them. */

import { ConfigError } from '../errors.ts';
import type { LookupFunction } from 'node:net';
import { type Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';
import { type Interfaces, isPlaced } from './interfaces.ts';
import { Link, type LinkOptions, type LinkStatus, statusOf, type UsageMemory } from './link.ts';
import { Path, type PathOptions, type PathStatus } from './path.ts';
import { type leavesThrough, misled, misledInWords } from './routes.ts';
import type { UplinkLog } from './relay.ts';
import type { RelayTime } from './retry.ts';
import { AlarmWay, BestWay } from './ways.ts';
import type { Traffic } from './link.ts';

export type LinksOptions = Readonly<{
  /** In the order in which they are preferred. */
  links: readonly LinkOptions[];
  hospitals: readonly PathOptions['hospital'][];
  interfaces: Interfaces;
  usage: UsageMemory;
  /** See routes.ts. Default: nobody looks which way packets go. */
  leavesThrough?: typeof leavesThrough;
  /** The day as YYYY-MM-DD, undefined while the clock cannot be believed. */
  today: () => string | undefined;
  /** What the time is here, to compare with hospitals. */
  wall: () => UnixMillis;
  /** Hears of every change from one link to another. MUST NOT throw. Default: nobody. */
  onSwitch?: (change: Omit<Switched, 'at'>) => void;
  /** What we show to hospitals. Default: nothing. */
  certificate?: () => Promise<NodeCertificate>;
  lookup?: LookupFunction;
  /** How long one request may take. */
  deadline: Millis;
  time: RelayTime;
  log: UplinkLog;
}>;

/** Why requests to a hospital go over another link than before, or alarms were answered over another. */
export type Switched = Readonly<{ hospital: string; traffic: Traffic; from: string | null; to: string; why: string; at: Millis }>;
export type LinksStatus = Readonly<{ links: readonly LinkStatus[]; paths: readonly PathStatus[]; switches: readonly (Omit<Switched, 'at'> & Readonly<{ ago: Millis }>)[] }>;

const LOOK_EVERY: Millis = Seconds(1);
const SAVE_EVERY: Millis = Seconds(60);
const KEPT_SWITCHES = 20;

/** Looks at the links for the first time and starts probing. Throws {@link StoreError}. */
export async function openLinks(options: LinksOptions): Promise<Links> {
  const { links, usage, interfaces, today } = options;
  return new Links(options, await Promise.all(links.map(async (each) => new Link(each, await usage.load(each.name), interfaces, today))));
}

export class Links {
  readonly #options: LinksOptions;
  readonly #links: readonly Link[];
  readonly #paths: ReadonlyMap<string, readonly Path[]>;
  readonly #switches: Switched[] = [];
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<() => void>();
  #following: Promise<void>;

  /** See {@link openLinks}. */
  constructor(options: LinksOptions, links: readonly Link[]) {
    this.#options = options;
    this.#links = links;
    this.#paths = new Map(options.hospitals.map((hospital) => [hospital.name, links.map((link) => new Path({ ...options, link, hospital, onState: (path) => this.#tell(path) }))]));
    this.#look();
    for (const path of this.#all()) path.start();
    this.#following = this.#follow();
  }

  /** How alarms get to a hospital. Throws {@link ConfigError} for one that is not known. */
  alarmWay(hospital: string): AlarmWay {
    return new AlarmWay(this.#pathsTo(hospital), this.#options.time.now, (to, from) => this.#switched('alarm', to, from));
  }

  /** How everything else does. `kind` is asked for every request. */
  bestWay(hospital: string, kind: () => Traffic): BestWay {
    return new BestWay(this.#pathsTo(hospital), kind, this.#options.time.now, (to, from) => this.#switched(kind(), to, from));
  }

  /** Resolves when a hospital answers over a link where it did not, or a link is there that was not; or when the signal is aborted. */
  async mended(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Whether a hospital is reached over that link. */
  works(link: string): boolean {
    return this.#all().some((path) => path.link.name === link && path.isReached);
  }

  /** Whether a hospital is reached over any link; undefined where there is none to be reached. */
  get isReached(): boolean | undefined {
    return this.#options.hospitals.length === 0 ? undefined : this.#all().some((path) => path.isReached);
  }

  status(): LinksStatus {
    const now = this.#options.time.now();
    return {
      links: this.#links.map(statusOf),
      paths: this.#all().map(({ status }) => status),
      switches: this.#switches.map(({ at, ...each }) => ({ ...each, ago: (now - at) as Millis })),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const done of this.#waiting) done();
    await Promise.all(this.#all().map((path) => path.stop()));
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { time, log } = this.#options;
    let saved = time.now();
    while (!this.#stopping.signal.aborted) {
      await time.sleep(LOOK_EVERY, this.#stopping.signal);
      this.#look();
      if (!this.#stopping.signal.aborted && time.now() - saved < SAVE_EVERY) continue;
      saved = time.now();
      // What sets up routes may come after the address, and go before it.
      for (const link of this.#links) void this.#lookAtRoutes(link);
      await this.#save().catch((error: unknown) => log.error({ error }, 'keeping what links have cost'));
    }
  }

  #look(): void {
    for (const link of this.#links) {
      const hadRoom = link.left.forAll;
      const changed = link.look();
      if (link.left.forAll !== hadRoom) this.#options.log.warn({ link: link.name, left: link.left.left }, hadRoom ? 'the budget of a link is used up: only alarms go over it' : 'a link has budget again');
      if (changed === undefined) continue;
      this.#options.log.info({ link: link.name, ...changed }, 'a link');
      for (const path of this.#all()) if (path.link === link) path.moved();
      void this.#lookAtRoutes(link);
    }
  }

  async #lookAtRoutes(link: Link): Promise<void> {
    const { hospitals, leavesThrough: ask, log } = this.#options;
    const { found } = link;
    if (ask === undefined || !isPlaced(found)) return;
    const other = await misled(hospitals.map(({ url }) => new URL(url).hostname), found, ask);
    if (found !== link.found || other === link.misledTo) return;
    link.misledTo = other;
    if (other === undefined) log.info({ link: link.name }, 'packets of a link leave through its own interface');
    else log.error({ link: link.name }, misledInWords(link.name, found, other));
  }

  async #save(): Promise<void> {
    for (const { name, usage } of this.#links) await this.#options.usage.save(name, usage);
  }

  #tell({ link, hospital, health: { state, why } }: Path): void {
    const fields = { link: link.name, hospital, state, why };
    if (state === 'down' || state === 'degraded') this.#options.log.warn(fields, 'the hospital over this link');
    else this.#options.log.info(fields, 'the hospital over this link');
    if (state !== 'up' && state !== 'probing') return;
    for (const done of this.#waiting) done();
  }

  #switched(traffic: Traffic, to: Path, from: Path | undefined): void {
    const why = from === undefined ? 'the first choice' : `${doubtOf(from)}; ${to.link.name} is ${to.health.state}`;
    const told = { hospital: to.hospital, traffic, from: from?.link.name ?? null, to: to.link.name, why };
    if (from !== undefined) {
      this.#options.log.info(told, 'another link is used');
      this.#options.onSwitch?.(told);
    }
    this.#switches.push({ ...told, at: this.#options.time.now() });
    if (this.#switches.length > KEPT_SWITCHES) this.#switches.shift();
  }

  #pathsTo(hospital: string): readonly Path[] {
    const paths = this.#paths.get(hospital);
    if (paths === undefined) throw new ConfigError(`there is no hospital ${hospital}`);
    return paths;
  }

  #all(): readonly Path[] {
    return [...this.#paths.values()].flat();
  }
}

/** What speaks against a link that was used until now. */
function doubtOf({ link, health: { state, why } }: Path): string {
  return state === 'up' ? `${link.name} did not answer soon enough` : `${link.name} is ${state}: ${why}`;
}
