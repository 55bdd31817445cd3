import { beforeAll, describe, expect, it } from 'vitest';
import { Bytes, KiB, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { makeNodeCertificate, type NodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { HospitalClient } from '../../gateway/uplink/hospital-client.ts';
import type { Found, Interfaces, LinkPlace } from '../../gateway/uplink/interfaces.ts';
import type { KeptUsage, LinkOptions, UsageMemory } from '../../gateway/uplink/link.ts';
import { type Links, type LinksOptions, openLinks } from '../../gateway/uplink/links.ts';
import type { PathState } from '../../gateway/uplink/path-health.ts';
import { systemTime } from '../../gateway/uplink/retry.ts';
import { ChainWriter, GATEWAY, keyOf } from '../upstream/gateway-chain.ts';
import { type Hospital, LogBook, startHospital } from '../upstream/hospital.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChaosProxy } from './chaos-proxy.ts';

const WIRED = '127.0.0.2';
const CELLULAR = '127.0.0.3';
const random = countingBytes();
const running = new AbortController().signal;
/** What the time is in the house. */
const HERE = UnixMillis(1_800_000_000_000);
let own: NodeCertificate;
let north: NodeCertificate;

beforeAll(async () => {
  own = await makeNodeCertificate(GATEWAY, random);
  north = await makeNodeCertificate(keyOf('north'), random);
});

/** Interfaces that a test plugs and unplugs. */
class Sockets implements Interfaces {
  readonly boot = 'boot';
  readonly absent = new Map<string, string>();
  readonly #bytes = new Map<string, number>();
  find = (place: LinkPlace): Found => {
    const address = 'address' in place ? place.address : place.interface;
    const why = this.absent.get(address);
    return why === undefined ? { address, interface: `if-${address}` } : { absent: why };
  };
  bytesOf = (name: string): number | undefined => this.#bytes.get(name);
  counted(address: string, bytes: number): void {
    this.#bytes.set(`if-${address}`, bytes);
  }
}

class Usages implements UsageMemory {
  readonly kept = new Map<string, KeptUsage>();
  load(link: string): Promise<KeptUsage | undefined> {
    return Promise.resolve(this.kept.get(link));
  }
  save(link: string, usage: KeptUsage): Promise<void> {
    this.kept.set(link, usage);
    return Promise.resolve();
  }
}

const link = (name: string, address: string, more: Partial<LinkOptions> = {}): LinkOptions => ({ name, place: { address }, carries: 'detail', budget: { reserved: 0 }, probe: Seconds(1), ...more });

class Bench implements AsyncDisposable {
  readonly links: Links;
  readonly hospital: Hospital;
  readonly proxy: ChaosProxy;
  readonly sockets: Sockets;
  readonly usages: Usages;
  readonly log: LogBook;

  static async of(more: Readonly<{ links?: readonly LinkOptions[]; hospitals?: LinksOptions['hospitals']; sockets?: Sockets; leavesThrough?: NonNullable<LinksOptions['leavesThrough']> }> = {}): Promise<Bench> {
    const hospital = await startHospital('north', { tls: north, gateways: [GATEWAY.publicKey] });
    const proxy = await ChaosProxy.before(hospital.address);
    const [sockets, usages, log] = [more.sockets ?? new Sockets(), new Usages(), new LogBook()];
    const links = await openLinks({
      links: more.links ?? [link('wired', WIRED), link('cellular', CELLULAR)],
      hospitals: [{ name: 'north', url: proxy.url, key: keyOf('north').publicKey }, ...(more.hospitals ?? [])],
      interfaces: sockets,
      usage: usages,
      ...(more.leavesThrough && { leavesThrough: more.leavesThrough }),
      today: () => '2026-11-24',
      wall: () => HERE,
      certificate: () => Promise.resolve(own),
      deadline: Seconds(5),
      time: systemTime,
      log,
    });
    return new Bench(links, hospital, proxy, sockets, usages, log);
  }

  private constructor(links: Links, hospital: Hospital, proxy: ChaosProxy, sockets: Sockets, usages: Usages, log: LogBook) {
    [this.links, this.hospital, this.proxy, this.sockets, this.usages, this.log] = [links, hospital, proxy, sockets, usages, log];
  }

  stateOf(name: string, hospital = 'north'): PathState | undefined {
    return this.links.status().paths.find((path) => path.link === name && path.hospital === hospital)?.state;
  }

  whyOf(name: string, hospital = 'north'): string | undefined {
    return this.links.status().paths.find((path) => path.link === name && path.hospital === hospital)?.why;
  }

  /** Both links are up when it resolves. */
  async settled(): Promise<void> {
    await until(() => ['wired', 'cellular'].map((name) => this.stateOf(name)), ['up', 'up']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.links.stop();
    await this.proxy[Symbol.asyncDispose]();
    await this.hospital[Symbol.asyncDispose]();
  }
}

const until = async (read: () => unknown, value: unknown): Promise<void> => await expect.poll(read, { timeout: 15_000, interval: 20 }).toEqual(value);

describe('alarms over two links', () => {
  it.each(['stalled', 'refused', 'half-closed'] as const)('arrive over the other one when the first is %s, and are there once', async (kind) => {
    await using bench = await Bench.of();
    await bench.settled();
    const writer = await ChainWriter.of(3, 'alarm');
    const client = new HospitalClient(bench.links.alarmWay('north'));
    expect(await client.put(writer.id, 0, writer.at(0).bytes, running)).toMatchObject({ outcome: 'accepted' });

    bench.proxy.change(WIRED, { kind });
    expect(await client.put(writer.id, 1, writer.at(1).bytes, running)).toMatchObject({ outcome: 'accepted' });
    expect(await client.put(writer.id, 2, writer.at(2).bytes, running)).toMatchObject({ outcome: 'accepted' });
    expect((await bench.hospital.blocks.head(writer.id))?.height).toBe(2);
    await until(() => bench.stateOf('wired'), 'down');
    expect(bench.stateOf('cellular')).toBe('up');
  });

  it('arrive over a new connection when the only one there is was forgotten on the way, long before a deadline says so', async () => {
    await using bench = await Bench.of({ links: [link('cellular', CELLULAR, { probe: Minutes(5) })] });
    await until(() => bench.stateOf('cellular'), 'up');
    const writer = await ChainWriter.of(2, 'alarm');
    const client = new HospitalClient(bench.links.alarmWay('north'));
    expect(await client.put(writer.id, 0, writer.at(0).bytes, running)).toMatchObject({ outcome: 'accepted' });
    bench.proxy.forget(CELLULAR);
    expect(await client.put(writer.id, 1, writer.at(1).bytes, running)).toMatchObject({ outcome: 'accepted' });
    expect(bench.stateOf('cellular')).toBe('up');
    expect(bench.proxy.connectionsFrom(CELLULAR)).toBe(2);
  });

  it('go over the second at once when the interface of the first is gone, and over none when there is none', async () => {
    await using bench = await Bench.of();
    await bench.settled();
    const writer = await ChainWriter.of(1, 'alarm');
    const client = new HospitalClient(bench.links.alarmWay('north'));
    bench.sockets.absent.set(WIRED, 'eth0 has no carrier');
    await until(() => bench.stateOf('wired'), 'absent');
    expect(await client.put(writer.id, 0, writer.at(0).bytes, running)).toMatchObject({ outcome: 'accepted' });
    bench.sockets.absent.set(CELLULAR, 'there is no interface wwan0');
    await until(() => bench.stateOf('cellular'), 'absent');
    expect(await client.head(writer.id, running)).toEqual({ outcome: 'unreachable', message: 'no link for this: wired: eth0 has no carrier; cellular: there is no interface wwan0' });
  });

  it('start at once in a house whose first link is dead from the beginning', async () => {
    const sockets = new Sockets();
    sockets.absent.set(WIRED, 'eth0 has no carrier');
    await using bench = await Bench.of({ sockets });
    const writer = await ChainWriter.of(1, 'alarm');
    const client = new HospitalClient(bench.links.alarmWay('north'));
    expect(await client.put(writer.id, 0, writer.at(0).bytes, running)).toMatchObject({ outcome: 'accepted' });
    sockets.absent.delete(WIRED);
    await until(() => bench.stateOf('wired'), 'up');
  });
});

describe('everything else', () => {
  it('goes over the first link, moves when that is down, and says from where to where and why', async () => {
    await using bench = await Bench.of();
    await bench.settled();
    const writer = await ChainWriter.of(2);
    const client = new HospitalClient(bench.links.bestWay('north', () => 'record'));
    await client.put(writer.id, 0, writer.at(0).bytes, running);
    expect(bench.links.status().switches.map(({ from, to }) => [from, to])).toEqual([[null, 'wired']]);
    bench.proxy.change(WIRED, { kind: 'refused' });
    await until(() => bench.stateOf('wired'), 'down');
    await client.put(writer.id, 1, writer.at(1).bytes, running);
    expect(bench.links.status().switches.at(-1)).toMatchObject({ hospital: 'north', traffic: 'record', from: 'wired', to: 'cellular', why: expect.stringMatching(/^wired is down: .+; cellular is up$/) as string });

    // Fair again, and yet not preferred before it has been steady.
    bench.proxy.change(WIRED, { kind: 'fair' });
    await until(() => bench.stateOf('wired'), 'up');
    await client.head(writer.id, running);
    expect(bench.links.status().switches).toHaveLength(2);
  });

  it('does not go over a link that carries only alarms, or has used its budget; alarms do', async () => {
    const day = KiB(100);
    const links = [link('wired', WIRED, { carries: 'alarm' }), link('cellular', CELLULAR, { budget: { day, reserved: 0.5 } })];
    const sockets = new Sockets();
    sockets.counted(CELLULAR, 0);
    await using bench = await Bench.of({ links, sockets });
    await bench.settled();
    const writer = await ChainWriter.of(1);
    const records = new HospitalClient(bench.links.bestWay('north', () => 'record'));
    expect(await records.head(writer.id, running)).toMatchObject({ outcome: 'unknown_chain' });

    sockets.counted(CELLULAR, KiB(60));
    await until(() => bench.links.status().links[1]?.left, Bytes(day - KiB(60)));
    expect(await records.head(writer.id, running)).toEqual({ outcome: 'unreachable', message: 'no link for this: wired does not carry records; cellular has used its budget' });
    expect(await new HospitalClient(bench.links.alarmWay('north')).head(writer.id, running)).toMatchObject({ outcome: 'unknown_chain' });
    expect(bench.log.messages('warn')).toContain('the budget of a link is used up: only alarms go over it');
  });

  it('is counted by link and kind, and what the interface says is kept over a restart', async () => {
    const sockets = new Sockets();
    sockets.counted(WIRED, 1000);
    await using bench = await Bench.of({ sockets });
    await bench.settled();
    const writer = await ChainWriter.of(1);
    await new HospitalClient(bench.links.bestWay('north', () => 'record')).put(writer.id, 0, writer.at(0).bytes, running);
    const [wired] = bench.links.status().links;
    expect(wired?.counted.record.sent).toBeGreaterThan(writer.at(0).bytes.length);
    expect(wired?.counted.detail).toEqual({ sent: 0, received: 0 });
    sockets.counted(WIRED, 5000);
    await bench.links.stop();
    expect(bench.usages.kept.get('wired')).toMatchObject({ dayBytes: 4000, counter: { boot: 'boot', bytes: 5000 } });
  });
});

describe('a hospital that is not to be trusted', () => {
  it('because its clock is off by a year shows with that, and has receipts counted by who signed them', async () => {
    const year = 365 * 86_400_000;
    await using late = await startHospital('south', { tls: await makeNodeCertificate(keyOf('south'), random), now: () => UnixMillis(HERE - year) });
    await using bench = await Bench.of({ hospitals: [{ name: 'south', url: late.address, key: keyOf('south').publicKey }] });
    await bench.settled();
    await until(() => bench.stateOf('wired', 'south'), 'up');
    const { clockAhead } = bench.links.status().paths.find(({ hospital }) => hospital === 'south') ?? {};
    expect(Math.round((clockAhead ?? 0) / 60_000)).toBe(-year / 60_000);
  });

  it('with another key, or whose connection never becomes ready, shows with the reason, and others are reached', async () => {
    await using mallory = await startHospital('mallory', { tls: await makeNodeCertificate(keyOf('mallory'), random) });
    await using silent = await ChaosProxy.before(mallory.address);
    silent.change(WIRED, { kind: 'stalled' });
    silent.change(CELLULAR, { kind: 'stalled' });
    const hospitals = [
      { name: 'mallory', url: mallory.address, key: keyOf('south').publicKey },
      { name: 'silent', url: silent.url, key: keyOf('mallory').publicKey },
    ];
    await using bench = await Bench.of({ hospitals });
    await bench.settled();
    await until(() => ['mallory', 'silent'].map((name) => bench.stateOf('wired', name)), ['down', 'down']);
    expect(bench.whyOf('wired', 'mallory')).toMatch(/the node there has key .+, expected /);
    expect(bench.whyOf('wired', 'silent')).toMatch(/no (answer|connection) within \d+ s/);
    const writer = await ChainWriter.of(1, 'alarm');
    expect(await new HospitalClient(bench.links.alarmWay('north')).put(writer.id, 0, writer.at(0).bytes, running)).toMatchObject({ outcome: 'accepted' });
  });
});

describe('packets of a link', () => {
  it('that leave through another interface are told, until they do not', async () => {
    let way: string | undefined = 'wwan0';
    await using bench = await Bench.of({ leavesThrough: (_host, from) => Promise.resolve(from === WIRED ? way : `if-${from}`) });
    const misledIn = (): (string | null)[] => bench.links.status().links.map(({ misled }) => misled);
    await until(misledIn, [expect.stringContaining(`packets of link wired (${WIRED}) leave through wwan0, not if-${WIRED}: give it a route of its own`), null]);
    expect(bench.log.messages('error')).toHaveLength(1);
    way = undefined;
    // The address comes again, and somebody has set up the route with it.
    bench.sockets.absent.set(WIRED, 'eth0 has no carrier');
    await until(() => bench.stateOf('wired'), 'absent');
    bench.sockets.absent.delete(WIRED);
    await until(misledIn, [null, null]);
  });
});

it('stopping ends what is under way, also on a link that answers nothing', async () => {
  const bench = await Bench.of();
  await bench.settled();
  bench.proxy.change(WIRED, { kind: 'stalled' });
  bench.proxy.change(CELLULAR, { kind: 'stalled' });
  const writer = await ChainWriter.of(1, 'alarm');
  const asking = new HospitalClient(bench.links.alarmWay('north')).head(writer.id, running);
  await bench[Symbol.asyncDispose]();
  expect(await asking).toMatchObject({ outcome: 'unreachable' });
});
