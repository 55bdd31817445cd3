/** One hospital over one link: its connections, and whether it answers there. */

import type { LookupFunction } from 'node:net';
import { Doorbell } from '../doorbell.ts';
import { messageOf, PeerError } from '../errors.ts';
import { type Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';
import { Channel } from './channel.ts';
import { readPing, type Send } from './hospital-client.ts';
import type { Link, Traffic } from './link.ts';
import { PathHealth, type PathState } from './path-health.ts';
import type { RelayTime } from './retry.ts';

export type PathOptions = Readonly<{
  link: Link;
  hospital: Readonly<{ name: string; url: string; key: Uint8Array; ca?: string }>;
  /** What we show. Default: nothing. */
  certificate?: () => Promise<NodeCertificate>;
  lookup?: LookupFunction;
  deadline: Millis;
  time: RelayTime;
  wall: () => UnixMillis;
  /** Called after every change of state. MUST NOT throw. */
  onState: (path: Path) => void;
}>;

export type PathStatus = Readonly<{
  link: string;
  hospital: string;
  state: PathState;
  why: string;
  /** How long it has been in this state. */
  since: Millis;
  rtt: Millis | null;
  loss: number;
  /** How far its clock is ahead of ours, negative: behind; give or take half a round trip. Null before it has said what it shows. */
  clockAhead: number | null;
}>;

/** Shortest and longest time that an answer to a probe is waited for. */
const PROBE_DEADLINE = { least: Seconds(1.5), most: Seconds(8), first: Seconds(3) };
/** From one probe to the next while an answer is missing, or has to prove itself. */
const EAGER: Millis = Seconds(1);
const LEAST_PAUSE: Millis = Seconds(0.05);
/** How many times as often one is asked that answers late or not always. */
const PROVING = 16;
/** The machine itself says that there is no way, and no try is needed to know. */
const HARD = new Set(['EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN']);

export class Path {
  readonly link: Link;
  readonly hospital: string;
  readonly #options: PathOptions;
  readonly #health: PathHealth;
  readonly #doorbell = new Doorbell();
  readonly #stopping = new AbortController();
  #channels = new Map<'alarm' | 'bulk', Channel>();
  #gone = new AbortController();
  #heard: Millis | undefined;
  #clockAhead: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PathOptions) {
    this.link = options.link;
    this.hospital = options.hospital.name;
    this.#options = options;
    this.#health = new PathHealth(options.time.now());
  }

  get health(): PathHealth {
    return this.#health;
  }

  get isReached(): boolean {
    return this.#health.state === 'up' || this.#health.state === 'degraded';
  }

  get status(): PathStatus {
    const { state, why, since, rtt, loss } = this.#health;
    return { link: this.link.name, hospital: this.hospital, state, why, since: (this.#options.time.now() - since) as Millis, rtt: rtt ?? null, loss, clockAhead: this.#clockAhead ?? null };
  }

  /** Probes until {@link stop}. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#gone.abort();
    this.#doorbell.ring();
    await this.#running;
    for (const channel of this.#channels.values()) channel.reset();
  }

  /** The link is another than before. */
  moved(): void {
    const { found } = this.link;
    this.#noting(() => {
      this.#health.vanished('absent' in found ? found.absent : 'its address has changed', this.#now());
      if (!('absent' in found)) this.#health.appeared('nothing is known yet', this.#now());
    });
    this.#leave();
    this.#channels = new Map();
    this.#doorbell.ring();
  }

  /**
   * Runs an attempt over this path. Rejects with {@link PeerError} when there is no answer, or as soon as the path is known to lead nowhere.
   * What it finds counts as a probe. `anew`: over another connection than the one there is, which may be dead without anybody having noticed.
   */
  async run<T>(kind: Traffic, attempt: (send: Send) => Promise<T>, signal: AbortSignal, anew = false): Promise<T> {
    const gone = this.#gone.signal;
    if (this.#health.state === 'absent') throw new PeerError('VG_PEER_UNREACHABLE', `${this.link.name}: ${this.#health.why}`);
    if (anew) this.#replace(kind);
    const channel = this.#channel(kind);
    try {
      const answer = await attempt((asked) => channel.request(asked, AbortSignal.any([signal, gone])));
      this.#answered(undefined);
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw thrown;
      if (gone.aborted) throw new PeerError('VG_PEER_UNREACHABLE', `${this.link.name}: ${this.#health.why}`, { cause: thrown });
      // Whether it was the request or the path is found out at once; so it is when another link was faster.
      this.#heard = undefined;
      this.#doorbell.ring();
      if (signal.aborted) throw thrown;
      this.#failed(thrown);
      throw new PeerError(thrown.code, `${this.link.name}: ${thrown.message}`, { cause: thrown });
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const began = this.#now();
      if (this.#health.state !== 'absent' && !this.#heardLately()) await this.#probe();
      const pause = this.#pause();
      // An answer that was long waited for was pause enough: three in a row are missing as early as they can be.
      await this.#doorbell.wait(pause === undefined ? undefined : (Math.max(LEAST_PAUSE, pause - (this.#now() - began)) as Millis));
    }
  }

  async #probe(): Promise<void> {
    const { time } = this.#options;
    const began = time.now();
    const gone = this.#gone.signal;
    try {
      const { time: shown } = readPing(await this.#channel('alarm').request({ method: 'GET', path: '/v1/ping', deadline: this.#probeDeadline() }, AbortSignal.any([this.#stopping.signal, gone])));
      const rtt = (time.now() - began) as Millis;
      if (shown !== undefined) this.#clockAhead = Math.round(shown + rtt / 2 - this.#options.wall());
      this.#answered(rtt);
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw thrown;
      // A connection that answers nothing is in doubt as a whole.
      this.#channels.get('alarm')?.reset();
      if (!gone.aborted && !this.#stopping.signal.aborted) this.#failed(thrown);
    }
  }

  #heardLately(): boolean {
    return this.#health.state === 'up' && this.#heard !== undefined && this.#now() - this.#heard < this.link.options.probe;
  }

  #pause(): Millis | undefined {
    const { probe } = this.link.options;
    const { state, failures } = this.#health;
    if (state !== 'down' && state !== 'absent' && failures > 0) return EAGER;
    switch (state) {
      case 'absent': return undefined;
      case 'probing': return EAGER;
      // Where a try costs money, ever more rarely.
      case 'down': return Math.min(probe, EAGER * 2 ** Math.min(20, failures)) as Millis;
      // It takes some answers to show that it is well again; on a link that is asked every five minutes they would take an hour.
      case 'degraded': return Math.max(EAGER, probe / PROVING) as Millis;
      case 'up': return probe;
    }
  }

  #probeDeadline(): Millis {
    const { rtt } = this.#health;
    if (rtt === undefined) return PROBE_DEADLINE.first;
    return Math.min(PROBE_DEADLINE.most, Math.max(PROBE_DEADLINE.least, 4 * rtt)) as Millis;
  }

  #answered(rtt: Millis | undefined): void {
    this.#heard = this.#now();
    this.#noting(() => this.#health.answered(rtt, this.#now()));
  }

  #failed(thrown: PeerError): void {
    const hard = HARD.has(codeIn(thrown));
    this.#noting(() => this.#health.failed(messageOf(thrown), hard, this.#now()));
  }

  #noting(change: () => void): void {
    const { state } = this.#health;
    change();
    if (this.#health.state === state) return;
    // What is under way would wait for its deadline.
    if (this.#health.state === 'down') this.#leave();
    this.#options.onState(this);
  }

  #leave(): void {
    this.#gone.abort();
    this.#gone = new AbortController();
    for (const channel of this.#channels.values()) channel.reset();
  }

  #replace(kind: Traffic): void {
    const which = connectionOf(kind);
    this.#channels.get(which)?.retire();
    this.#channels.delete(which);
  }

  /** Alarms have a connection of their own, and probes go over it: it is there when one comes. */
  #channel(kind: Traffic): Channel {
    const which = connectionOf(kind);
    const known = this.#channels.get(which);
    if (known !== undefined) return known;
    const { hospital, certificate, lookup, deadline } = this.#options;
    const { found } = this.link;
    const localAddress = 'absent' in found || found.address === '' ? undefined : found.address;
    const channel = new Channel({
      url: hospital.url,
      peer: hospital.key,
      deadline,
      count: (sent, received) => this.link.count(kind, sent, received),
      ...(hospital.ca !== undefined && { ca: hospital.ca }),
      ...(certificate && { certificate }),
      ...(lookup && { lookup }),
      ...(localAddress !== undefined && { localAddress }),
    });
    this.#channels.set(which, channel);
    return channel;
  }

  #now(): Millis {
    return this.#options.time.now();
  }
}

const connectionOf = (kind: Traffic): 'alarm' | 'bulk' => (kind === 'alarm' ? 'alarm' : 'bulk');

/** The code of the system call that failed, as deep as it lies. */
function codeIn(thrown: unknown): string {
  for (let each: unknown = thrown; each instanceof Error; each = each.cause) {
    const { code } = each as NodeJS.ErrnoException;
    if (code !== undefined && HARD.has(code)) return code;
  }
  return '';
}
