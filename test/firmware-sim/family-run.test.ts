import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../firmware-sim/families/catalogue.ts';
import { FAMILY_OPTIONS, familyLines, familyRunOf } from '../../firmware-sim/family-options.ts';
import { type FamilyRunOptions, runFamily } from '../../firmware-sim/family-run.ts';
import { rebirthRequest, sparkplug } from '../../gateway/decode/sparkplug.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { at } from './at.ts';
import { type OpenBroker, startOpenBroker } from './open-broker.ts';

const familyOf = (name: string): FamilyRunOptions['family'] => FAMILIES.get(name) ?? expect.fail(`no family ${name}`);

function runOn({ url }: Pick<OpenBroker, 'url'>, name: string, more: Partial<FamilyRunOptions> = {}): ReturnType<typeof runFamily> {
  const family = familyOf(name);
  return runFamily({
    family,
    who: { device: 'clip-7', variant: family.variants[0], base: 'home', ...(family.named === true ? { name: 'clip-7' } : {}) },
    place: { brokerUrl: url },
    every: Millis(1),
    count: 20,
    seed: 1,
    signal: new AbortController().signal,
    ...more,
  });
}

/** Resolves as soon as the condition holds; asked whenever the event loop comes round. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a device of a family on a broker', () => {
  it('says everything once, and counts what it said', async () => {
    await using broker = await startOpenBroker();
    const counts = await runOn(broker, 'native-json');
    expect(counts).toMatchObject({ family: 'native-json', snapshots: 20, sent: 20, acknowledged: 20, repeated: 0, values: 100, valuesAgain: 0, connections: 1 });
    expect(broker.heard.map(({ payload }) => (JSON.parse(payload.toString()) as { seq: number }).seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(new Set(broker.heard.map(({ topic, qos, dup }) => `${topic} ${qos} ${dup}`))).toEqual(new Set(['home 1 false']));
  });

  it('gives every snapshot a time of its own', async () => {
    await using broker = await startOpenBroker();
    await runOn(broker, 'native-json', { every: Millis(0), count: 50 });
    const times = broker.heard.map(({ payload }) => (JSON.parse(payload.toString()) as { time: number }).time);
    expect(new Set(times).size).toBe(50);
  });

  it('says with QoS 1 again what was not acknowledged, marked as a repetition, when it is back', async () => {
    await using broker = await startOpenBroker();
    broker.setDeaf(true);
    const running = runOn(broker, 'native-json', { count: 5, every: Millis(0), log: (line) => {
      if (line.includes('disconnected')) broker.setDeaf(false);
    } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    broker.cut();
    const counts = await running;
    expect(counts).toMatchObject({ sent: 5, acknowledged: 5, repeated: 5, values: 25, connections: 2 });
    expect(broker.heard.map(({ dup }) => dup)).toEqual([true, true, true, true, true]);
  });

  it('goes through storms without losing what is acknowledged', async () => {
    await using broker = await startOpenBroker();
    const counts = await runOn(broker, 'csv-line', { count: 40, every: Millis(10), plan: { storm: Millis(100) } });
    expect(counts.faults.storm).toBeGreaterThan(1);
    expect(counts.connections).toBe(counts.faults.storm + 1);
    expect(counts.acknowledged).toBe(counts.sent);
    const readings = broker.heard.map(({ payload }) => payload.toString()).filter((line) => !line.startsWith('measurement'));
    expect(new Set(readings).size).toBe(counts.values);
  });

  it('does to its messages what was ordered, the same for the same seed', async () => {
    await using broker = await startOpenBroker();
    const plan = { garbage: 0.2, half: 0.2, duplicate: 0.2, clock: '1970' } as const;
    const time = { now: () => UnixMillis(1_764_000_000_000), uptime: () => Millis(0), sleep: () => Promise.resolve() };
    const first = await runOn(broker, 'native-json', { plan, time, count: 60 });
    const heard = broker.heard.splice(0).map(({ payload }) => payload.toString('hex'));
    const second = await runOn(broker, 'native-json', { plan, time, count: 60 });
    expect(second).toEqual(first);
    expect(broker.heard.map(({ payload }) => payload.toString('hex'))).toEqual(heard);
    const { garbage, half, duplicate } = first.faults;
    const good = first.values / 5;
    expect(first.sent).toBe(good + garbage + half + duplicate);
    expect(first.valuesAgain).toBe(duplicate * 5);
  });

  it('leaves a will, and takes leave itself when it ends', async () => {
    await using broker = await startOpenBroker();
    const stop = new AbortController();
    await runOn(broker, 'zigbee2mqtt', { count: 1 });
    expect(broker.heard.map(({ topic, payload, retain }) => `${topic} ${payload.toString().slice(0, 20)} ${retain}`)).toEqual(expect.arrayContaining([
      'home/bridge/state {"state":"online"} true', 'home/clip-7/door/availability {"state":"online"} true', 'home/bridge/state {"state":"offline"} true',
    ]));
    const running = runOn(broker, 'tasmota', { count: 1000, every: Millis(5), signal: stop.signal });
    await eventually(() => broker.heard.some(({ topic }) => topic === 'home/tele/SENSOR'));
    broker.cut();
    await eventually(() => broker.heard.some(({ topic, payload }) => topic === 'home/tele/LWT' && payload.toString() === 'Offline'));
    stop.abort();
    await running;
  });

  it('ends at once when it is told to, connected or not', async () => {
    await using broker = await startOpenBroker();
    expect(await runOn(broker, 'native-json', { signal: AbortSignal.abort() })).toMatchObject({ snapshots: 0 });
    const stop = new AbortController();
    const running = runOn({ url: 'mqtt://127.0.0.1:1' }, 'native-json', { signal: stop.signal });
    stop.abort();
    expect(await running).toMatchObject({ connections: 0 });
  });

  it('announces itself where discovery looks, not below its own topic', async () => {
    await using broker = await startOpenBroker();
    await runOn(broker, 'esphome', { count: 1, who: { device: 'node', name: 'node', variant: 'values', base: '', discovery: 'homeassistant' } });
    const topics = broker.heard.map(({ topic }) => topic);
    expect(topics).toContain('homeassistant/sensor/node/temperature/config');
    expect(topics).toContain('node/sensor/temperature/state');
  });
});

describe('a Sparkplug edge node', () => {
  const verbs = (broker: OpenBroker): string[] => broker.heard.map(({ topic }) => topic.split('/')[3] ?? '');

  it('is born before it says anything, and numbers what it says without gaps', async () => {
    await using broker = await startOpenBroker();
    await runOn(broker, 'sparkplug', { count: 300, every: Millis(0) });
    expect(verbs(broker)).toEqual(['NBIRTH', 'DBIRTH', ...Array.from({ length: 300 }, () => 'DDATA'), 'NDEATH']);
    expect(new Set(broker.heard.map(({ qos, retain }) => `${qos} ${retain}`))).toEqual(new Set(['0 false']));
    let memory: Parameters<typeof sparkplug.decode>[1];
    for (const { topic, payload } of broker.heard) {
      const decoded = sparkplug.decode({ topic: topic.replace('home/', ''), payload, receivedAt: UnixMillis(0) }, memory);
      memory = decoded.memory ?? memory;
      expect([decoded.rejected, decoded.notices.includes('resync')]).toEqual([[], false]);
    }
    // Its death was of the session that its birth had begun.
    expect(memory).toEqual({ nodes: [] });
  });

  it('says its births again when a host asks for it', async () => {
    await using broker = await startOpenBroker();
    const stop = new AbortController();
    const running = runOn(broker, 'sparkplug', { count: 100_000, every: Millis(2), signal: stop.signal });
    await eventually(() => verbs(broker).includes('DDATA'));
    broker.say('home/spBv1.0/home/NCMD/clip-7', Buffer.from('nonsense'));
    broker.say('home/spBv1.0/home/NCMD/clip-7', rebirthRequest(UnixMillis(1_764_000_000_000)));
    await eventually(() => verbs(broker).filter((verb) => verb === 'DBIRTH').length === 2);
    stop.abort();
    await running;
    expect(verbs(broker).filter((verb) => verb === 'NBIRTH')).toHaveLength(2);
  });

  it('has a new session, and a will of its own, with each connection', async () => {
    await using broker = await startOpenBroker();
    const stop = new AbortController();
    const running = runOn(broker, 'sparkplug', { count: 100_000, every: Millis(2), signal: stop.signal });
    await eventually(() => verbs(broker).includes('DDATA'));
    broker.cut();
    await eventually(() => verbs(broker).filter((verb) => verb === 'DBIRTH').length === 2);
    stop.abort();
    await running;
    const deaths = broker.heard.filter(({ topic }) => topic.includes('NDEATH'));
    expect(at(deaths, 0)).toMatchObject({ qos: 1, retain: false });
  });
});

describe('what a person may order', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-family-'));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const password = file('password', 'correct horse battery\n');
  const order = (words: Readonly<Record<string, string>>): ReturnType<typeof familyRunOf> => familyRunOf((word) => words[word]);

  it('names a family, a device and a place', () => {
    expect(order({ family: 'gatt', device: 'hub', 'password-file': password, count: '5', every: '20ms', faults: 'half=0.5', seed: 'x', variant: '2a37' })).toMatchObject({
      family: familyOf('gatt'),
      who: { device: 'hub', variant: '2a37', base: 'devices/hub/gatt' },
      place: { brokerUrl: 'mqtt://127.0.0.1:1883', password: 'correct horse battery' },
      count: 5, every: 20, plan: { half: 0.5 }, seed: 'x',
    });
    expect(order({ family: 'contec-9', serial: '/dev/ttyUSB0', baud: '9600' })).toMatchObject({ place: { path: '/dev/ttyUSB0', baudRate: 9600 } });
  });

  it('finds the password among credentials, and needs none at a broker of others', () => {
    const credentials = file('credentials.json', '{"hub":"secret"}');
    expect(order({ family: 'gatt', device: 'hub', credentials }).place).toMatchObject({ password: 'secret' });
    expect(order({ family: 'tasmota', device: 'plug', prefix: '' })).toMatchObject({ who: { base: '', name: 'plug' }, place: { brokerUrl: 'mqtt://127.0.0.1:1883' } });
    expect(order({ family: 'zigbee2mqtt', device: 'z', prefix: 'zigbee2mqtt/', name: 'living room' }).who).toMatchObject({ base: 'zigbee2mqtt', name: 'living room' });
  });

  it.each<[Readonly<Record<string, string>>, string]>([
    [{ family: 'fax', device: 'x' }, 'unknown family "fax"'],
    [{ family: 'gatt' }, 'which device'],
    [{ family: 'gatt', device: '.x' }, 'no device id'],
    [{ family: 'gatt', device: 'x' }, 'no password for x'],
    [{ family: 'gatt', device: 'x', 'password-file': '/nowhere' }, 'cannot read the password file'],
    [{ family: 'gatt', device: 'x', 'password-file': file('empty', '\n') }, 'is empty'],
    [{ family: 'gatt', device: 'x', credentials: file('other.json', '{"y":"z"}') }, 'no password for x'],
    [{ family: 'gatt', device: 'x', prefix: '', broker: 'http://x' }, 'expected mqtt://host:port'],
    [{ family: 'nonin-2', serial: '/dev/x', broker: 'mqtt://x' }, 'not both'],
    [{ family: 'nonin-2', serial: '/dev/x', framing: 'morse' }, 'expected line or cobs'],
    [{ family: 'nonin-2', serial: '/dev/x', count: '0' }, 'whole number from 1'],
    [{ family: 'nonin-2', serial: '/dev/x', every: '5' }, 'is not a number with one of the units'],
  ])('is refused for %j', (words, why) => {
    expect(() => order(words)).toThrow(why);
  });

  it.each<[string, Partial<FamilyRunOptions>, string]>([
    ['gatt', { place: { path: '/dev/x' } }, 'over MQTT only'],
    ['nonin-2', {}, 'serial lines only'],
    ['nonin-2', { place: { path: '/dev/x', framing: 'cobs' } }, 'nonin-2 has own'],
    ['gatt', { who: { device: 'x', variant: '2a99', base: '' } }, 'gatt has all, 2a37'],
    ['gatt', { count: 0 }, 'whole number from 1'],
  ])('of %s is refused before anything is opened when it cannot be: %j', async (name, more, why) => {
    await expect(runOn({ url: 'mqtt://127.0.0.1:1' }, name, more)).rejects.toThrow(why);
  });

  it('lists every family with one line', () => {
    expect(familyLines()).toHaveLength(FAMILIES.size);
    expect(familyLines().every((line) => !line.includes('\n'))).toBe(true);
    expect(Object.keys(FAMILY_OPTIONS)).toContain('family');
    rmSync(folder, { recursive: true });
  });
});
