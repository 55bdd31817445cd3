import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FamilyCounts } from '../../firmware-sim/family-run.ts';
import type { Totals } from '../../gateway/derive/derive-store.ts';
import { SERIAL_SILENCE } from '../../gateway/ingest/serial-frames.ts';
import type { DeviceId, Subject } from '../../gateway/reading.ts';
import { needs } from '../debian-packages.ts';
import type { Broker } from '../bench/broker.ts';
import { startMosquitto } from '../bench/mosquitto.ts';
import { Program, until, vitalgate, type Ended } from './program.ts';
import { SerialCable } from './serial-cable.ts';
import { Site } from './site.ts';

const needed = needs('socat', 'mosquitto');
const ZONE = 'Europe/Berlin';

/** Families a device publishes itself, as its own connection. */
const PUBLISHED = [
  'native-json', 'native-cbor', 'senml-json', 'senml-cbor', 'csv-line', 'gatt', 'gatt-hex', 'esphome', 'tasmota', 'shelly', 'zigbee2mqtt', 'sparkplug',
] as const;
/** Serial lines: what the gateway is told of them, and what the simulator is. */
const LINES: Readonly<Record<string, Readonly<{ gateway: object; family: string; words?: readonly string[] }>>> = {
  'nonin-2': { gateway: { decoder: 'nonin-2' }, family: 'nonin-2' },
  'nonin-7': { gateway: { decoder: 'nonin-7' }, family: 'nonin-7' },
  'nonin-8': { gateway: { decoder: 'nonin-8' }, family: 'nonin-8' },
  'nonin-13': { gateway: { decoder: 'nonin-13' }, family: 'nonin-13' },
  'contec-9': { gateway: { decoder: 'contec-9' }, family: 'contec-9' },
  'contec-5': { gateway: { decoder: 'contec-5' }, family: 'contec-5' },
  'csv-board': { gateway: { decoder: 'csv-line' }, family: 'csv-line' },
  'ble-bridge': { gateway: { decoder: 'gatt-line' }, family: 'gatt-line', words: ['--name', 'AA:BB:CC:DD:EE:01'] },
  'json-board': { gateway: { decoder: 'native-json', framing: 'cobs' }, family: 'native-json', words: ['--framing', 'cobs'] },
  'cbor-board': { gateway: { decoder: 'native-cbor', framing: 'cobs' }, family: 'native-cbor' },
  'senml-board': { gateway: { decoder: 'senml-cbor', framing: 'cobs' }, family: 'senml-cbor' },
};
const SENSORS = ['climate', 'motion', 'door'] as const;
const zigbeeDevices = (name: string): readonly object[] => SENSORS.map((sensor) => ({ address: `${name}/${sensor}`, device: `room-${sensor}` }));
const PROFILES = [
  { name: 'zigbee', decoder: 'zigbee2mqtt', topic: 'devices/zigbee2mqtt/zigbee2mqtt/#', devices: zigbeeDevices('living room') },
  { name: 'sparkplug', decoder: 'sparkplug', topic: 'devices/sparkplug/sparkplug/#', devices: [{ address: 'home/Raspberry Pi/patient', device: 'raspberry' }] },
  { name: 'ble-bridge', decoder: 'gatt-line', topic: 'devices/ble-bridge/gatt-line', devices: [{ address: 'AA:BB:CC:DD:EE:01', device: 'strap' }] },
  { name: 'home-zigbee', decoder: 'zigbee2mqtt', topic: 'devices/home/zigbee2mqtt/#', devices: zigbeeDevices('kitchen') },
  { name: 'home-tasmota', decoder: 'tasmota', topic: 'devices/home/tele/#', timeZone: ZONE, devices: [{ address: 'board', device: 'board' }] },
  { name: 'spot-checks', decoder: 'nonin-13', topic: 'devices/nonin-13/nonin-13', timeZone: ZONE },
];
const NAMES: Readonly<Record<string, string>> = { zigbee2mqtt: 'living room', sparkplug: 'Raspberry Pi' };
const COUNT = 12;
/** It speaks when the gateway opens the line while it is there: it must be on its end of the cable before. */
const STARTED = 'contec-9';

type Change = Readonly<{ readings: number; duplicates: number; quarantined: number; wrongClocks: number }>;
const quarantinedIn = ({ quarantined }: Totals): number => Object.values(quarantined).reduce((sum, count) => sum + count, 0);

describe('"vitalgate sim --families"', () => {
  it('lists what "--family" takes', async () => {
    const { code, stdout } = await vitalgate('sim', '--families');
    expect(code).toBe(0);
    for (const family of [...PUBLISHED, ...Object.values(LINES).map(({ family: name }) => name)]) expect(stdout).toMatch(new RegExp(`^${family} `, 'm'));
  });

  it.each([
    [['--family', 'fax'], 'unknown family "fax"'],
    [['--family', 'gatt', '--device', 'hub'], 'no password for hub'],
    [['--family', 'gatt', '--serial', '/dev/null'], 'over MQTT only'],
    [['--family', 'nonin-2', '--serial', '/dev/null', '--faults', 'gremlins=1'], 'expected one of garbage'],
  ])('refuses %j with exit code 2 and one line that says why', async (words, why) => {
    const { code, stderr } = await vitalgate('sim', ...words);
    expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(stderr).toContain(why);
  });
});

describe.skipIf(needed.missing)(`simulated devices of every family${needed.note}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-families-'));
  const cables = new Map(Object.keys(LINES).map((line) => [line, new SerialCable(folder, line)]));
  const cableOf = (line: string): SerialCable => cables.get(line) ?? expect.fail(`no cable ${line}`);
  const plug = join(folder, `${STARTED}-plug`);
  let site: Site;
  let broker: Broker;
  let before: Totals;

  beforeAll(async () => {
    broker = (await startMosquitto(join(folder, 'broker'), 0, new AbortController().signal)) ?? expect.fail('mosquitto is not installed');
    for (const cable of cables.values()) await cable.lay();
    const serial = Object.entries(LINES).map(([device, { gateway }]) => ({ device, path: device === STARTED ? plug : cableOf(device).path, ...gateway }));
    const bridges = [{ name: 'home', url: `mqtt://127.0.0.1:${broker.port}`, topics: ['zigbee2mqtt/#', 'tele/#'] }];
    site = await Site.running({ gateway: { serial, bridges, profiles: PROFILES } });
    const anna: Subject = { kind: 'patient', id: 'anna' };
    for (const family of PUBLISHED) {
      const { password } = await site.addDevice(family, 'anna');
      writeFileSync(join(folder, `${family}.password`), password);
    }
    const room: Subject = { kind: 'room', id: '7' };
    for (const device of [...Object.keys(LINES), 'raspberry', 'strap']) await site.api.bindDevice(device as DeviceId, anna);
    for (const device of [...SENSORS.map((sensor) => `room-${sensor}`), 'board']) await site.api.bindDevice(device as DeviceId, room);
    await until('all lines are open', async () => (await site.metric('vitalgate_serial_lines_open')) === cables.size - 1);
    await until('the bridge is connected', async () => (await site.metric('vitalgate_bridges_connected')) === 1);
    before = await site.totals();
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    for (const cable of cables.values()) await cable[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Runs the simulator to its end; what it says that it sent. */
  const simulate = async (...words: readonly string[]): Promise<FamilyCounts> => {
    return countsOf(await vitalgate('sim', ...words));
  };
  const countsOf = ({ code, stdout, stderr }: Ended): FamilyCounts => {
    if (code !== 0) expect.fail(`the simulator ended with ${code}\n${stdout}${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as FamilyCounts;
  };
  const publish = (family: string, ...more: readonly string[]): Promise<FamilyCounts> => simulate(
    '--family', family, '--device', family, '--broker', `mqtt://127.0.0.1:${site.ports.mqtt}`, '--password-file', join(folder, `${family}.password`),
    ...(NAMES[family] === undefined ? [] : ['--name', NAMES[family]]), ...more,
  );
  const speakOn = async (line: string, ...more: readonly string[]): Promise<FamilyCounts> => {
    const words = ['--family', LINES[line]?.family ?? '', '--device', line, '--serial', cableOf(line).deviceEnd, ...(LINES[line]?.words ?? []), ...more];
    if (line !== STARTED) return await simulate(...words);
    await using simulator = new Program(['sim', ...words]);
    await simulator.hears('stderr', /: open/);
    symlinkSync(cableOf(line).path, plug);
    const counts = countsOf(await simulator.ended);
    await site.totals();
    unlinkSync(plug);
    await cableOf(line).pullOut();
    await cableOf(line).lay();
    return counts;
  };

  /** What became of it, once there are so many readings more, or nothing is under way. */
  const becomes = async (readings = 0): Promise<Change> => {
    const after = await site.untilReadings(before.readings + readings);
    const change = {
      readings: after.readings - before.readings,
      duplicates: after.duplicates - before.duplicates,
      quarantined: quarantinedIn(after) - quarantinedIn(before),
      wrongClocks: after.implausibleDeviceClocks - before.implausibleDeviceClocks,
    };
    before = after;
    return change;
  };
  /** The same for what nobody can foretell: once nothing has come for longer than a line may be silent within a frame. */
  const becomesInTheEnd = async (): Promise<Change> => {
    let last = -1;
    for (let now = await seen(); now !== last; now = await seen()) {
      last = now;
      await pause(SERIAL_SILENCE + 50);
    }
    return await becomes();
  };
  const seen = async (): Promise<number> => {
    const totals = await site.totals();
    return totals.readings + totals.duplicates + quarantinedIn(totals);
  };
  const lostBytes = async (): Promise<number> => {
    const lines = (await site.metrics()).split('\n').filter((line) => line.startsWith('vitalgate_serial_lost_bytes_total{'));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const NOTHING_WRONG = { duplicates: 0, quarantined: 0, wrongClocks: 0 };

  describe('every value becomes a reading, and nothing else does', () => {
    it.each(PUBLISHED)('%s, published to the gateway', async (family) => {
      const { values, sent } = await publish(family, '--count', String(COUNT), '--every', '20ms');
      expect(sent).toBeGreaterThanOrEqual(family === 'shelly' ? 1 : COUNT);
      expect(await becomes(values)).toEqual({ readings: values, ...NOTHING_WRONG });
    });

    it.each(Object.keys(LINES))('%s, on a serial line', async (line) => {
      const { values, snapshots } = await speakOn(line, '--count', String(COUNT), '--every', '30ms', '--time-zone', ZONE);
      expect(snapshots).toBe(COUNT);
      expect(values).toBeGreaterThanOrEqual(2 * COUNT);
      expect(await becomes(values)).toEqual({ readings: values, ...NOTHING_WRONG });
    });

    it.each([
      ['zigbee2mqtt', ['--prefix', 'zigbee2mqtt', '--name', 'kitchen', '--variant', '1.x', '--every', '20ms', '--count', '12', '--discovery', 'homeassistant']],
      ['tasmota', ['--prefix', '', '--name', 'board', '--variant', 'fahrenheit', '--every', '1100ms', '--count', '3', '--time-zone', ZONE]],
    ])('%s, on a broker that was there before, through a bridge', async (family, words) => {
      const { values } = await simulate('--family', family, '--device', `foreign-${family}`, '--broker', `mqtt://127.0.0.1:${broker.port}`, ...words);
      expect(await becomes(values)).toEqual({ readings: values, ...NOTHING_WRONG });
    });
  });

  describe('with faults', () => {
    /** In one message of any family. */
    const MOST_VALUES = 8;
    const DAMAGE = 'garbage=0.15,half=0.15,duplicate=0.15,sensorOff=0.1,battery=low';
    const sumOf = (all: readonly FamilyCounts[], what: (counts: FamilyCounts) => number): number => all.reduce((sum, counts) => sum + what(counts), 0);
    const damagedIn = ({ faults }: FamilyCounts): number => faults.garbage + faults.half + faults.flip;

    it.each(['native-cbor', 'senml-cbor'])('%s: good messages count once, damaged ones are quarantined', async (family) => {
      const counts = await publish(family, '--count', '60', '--every', '5ms', '--faults', `${DAMAGE},storm=200ms`, '--seed', 'damage');
      expect(counts.faults).toMatchObject({ battery: 60 });
      expect(damagedIn(counts)).toBeGreaterThan(5);
      const { readings, duplicates, quarantined } = await becomes(counts.values);
      expect([readings, quarantined]).toEqual([counts.values, damagedIn(counts)]);
      // Beside the doubles that were ordered, what was sent again after a storm.
      expect(duplicates).toBeGreaterThanOrEqual(counts.faults.duplicate);
      expect(duplicates).toBeLessThanOrEqual(counts.faults.duplicate + counts.repeated);
    });

    it('in formats that have nothing to tell it by, damage is bounded by what was damaged', async () => {
      const families = ['native-json', 'senml-json', 'csv-line', 'gatt', 'gatt-hex', 'esphome', 'tasmota', 'shelly', 'zigbee2mqtt'];
      const all = await Promise.all(families.map((family) => publish(family, '--count', '25', '--every', '5ms', '--faults', `${DAMAGE},flip=0.1`, '--seed', 'damage')));
      const [values, again, damaged] = [sumOf(all, ({ values: each }) => each), sumOf(all, ({ valuesAgain }) => valuesAgain), sumOf(all, damagedIn)];
      expect(damaged).toBeGreaterThan(100);
      const { readings, quarantined } = await becomesInTheEnd();
      // A digit that is missing or wrong is another value, or the number of another message.
      expect(Math.abs(readings - values)).toBeLessThanOrEqual(again + damaged * MOST_VALUES);
      expect(quarantined).toBeGreaterThan(damaged / 2);
    });

    it('what is acknowledged on a serial line arrives, once, through noise and storms', async () => {
      const lost = await lostBytes();
      const boards = ['json-board', 'cbor-board', 'senml-board'];
      const all = await Promise.all(boards.map((board) =>
        speakOn(board, '--count', '40', '--every', '20ms', '--faults', 'garbage=0.1,half=0.1,flip=0.1,duplicate=0.1,storm=1s', '--seed', 'noise')));
      for (const counts of all) {
        expect(damagedIn(counts)).toBeGreaterThan(3);
        expect(counts.repeated).toBeGreaterThan(0);
      }
      const values = sumOf(all, ({ values: each }) => each);
      const { readings, quarantined } = await becomes(values);
      expect([readings, quarantined]).toEqual([values, 0]);
      expect(await lostBytes()).toBeGreaterThan(lost);
    });

    it('over a cable that is pulled out and plugged in again loses nothing of it', async () => {
      const { deviceEnd } = cableOf('json-board');
      const accepted = async (): Promise<number> => (await site.metric('vitalgate_messages_total{state="accepted"}')) ?? 0;
      const already = await accepted();
      const words = ['--device', 'json-board', '--serial', deviceEnd, '--framing', 'cobs', '--count', '60', '--every', '30ms', '--seed', 'cable'];
      await using simulator = new Program(['sim', '--family', 'native-json', ...words]);
      await until('some messages came', async () => (await accepted()) > already + 5);
      await cableOf('json-board').pullOut();
      await simulator.hears('stderr', /cannot open|No such file/i);
      await cableOf('json-board').lay();
      const { values, connections } = countsOf(await simulator.ended);
      expect(connections).toBe(2);
      expect(await becomes(values)).toMatchObject({ readings: values, quarantined: 0 });
    });

    it('packets with checksums count when they are whole, and are lost and counted when they are not', async () => {
      const lost = await lostBytes();
      const words = ['--count', '60', '--every', '15ms', '--faults', `${DAMAGE},flip=0.1`, '--seed', 'noise', '--time-zone', ZONE];
      const [two, seven, thirteen] = await Promise.all([speakOn('nonin-2', ...words), speakOn('nonin-7', ...words), speakOn('nonin-13', ...words)]);
      expect(sumOf([two, seven, thirteen], damagedIn)).toBeGreaterThan(30);
      // Only format 13 has a time by which a packet that comes twice is recognised.
      const good = two.values + two.valuesAgain + seven.values + seven.valuesAgain + thirteen.values;
      const { readings, duplicates, quarantined } = await becomesInTheEnd();
      expect([readings, duplicates, quarantined]).toEqual([good, thirteen.faults.duplicate, 0]);
      expect(await lostBytes()).toBeGreaterThan(lost);
    });

    it('without checksums the damage is bounded by what was damaged', async () => {
      const words = ['--count', '25', '--every', '5ms', '--faults', `${DAMAGE},flip=0.1`, '--seed', 'noise'];
      const all = await Promise.all(['nonin-8', 'contec-9', 'contec-5', 'csv-board', 'ble-bridge'].map((line) => speakOn(line, ...words)));
      const [values, again, damaged] = [sumOf(all, ({ values: each }) => each), sumOf(all, ({ valuesAgain }) => valuesAgain), sumOf(all, damagedIn)];
      const { readings } = await becomesInTheEnd();
      // A broken packet may pass for another, and one at each side of it may go with it.
      expect(Math.abs(readings - values)).toBeLessThanOrEqual(again + damaged * 3 * MOST_VALUES);
    });

    it('a clock that starts in 1970 is noticed, and its readings are kept', async () => {
      const counts = await publish('native-json', '--count', '10', '--every', '5ms', '--faults', 'clock=1970');
      expect(await becomes(counts.values)).toEqual({ readings: counts.values, duplicates: 0, quarantined: 0, wrongClocks: 10 });
    });

    it('the gateway still takes and seals what comes', async () => {
      const { values } = await publish('native-json', '--count', '3', '--every', '5ms', '--seed', 'after');
      expect(await becomes(values)).toEqual({ readings: values, ...NOTHING_WRONG });
    });
  });
});
