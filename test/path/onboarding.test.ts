import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Discovered, Discovery, ListedDevice } from '../../gateway/device-views.ts';
import type { QuarantinedFrame } from '../../gateway/quarantine.ts';
import type { Broker } from '../bench/broker.ts';
import { startMosquitto } from '../bench/mosquitto.ts';
import { needs } from '../debian-packages.ts';
import { run, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

type Sections = Readonly<{ gateway: Readonly<Record<string, unknown>>; upstream: unknown }>;

describe('somebody who cannot log in', () => {
  it('is discovered by the name it tried, with the command that lets it in', async () => {
    await using site = await Site.running();
    const connecting = connectAsync(`mqtt://127.0.0.1:${site.ports.mqtt}`, { username: 'new-watch', password: 'guessed', reconnectPeriod: 0 });
    await expect(connecting).rejects.toThrow(/Not authorized/);
    const { stdout } = await vitalgate('device', 'discover', '--config', site.config);
    expect(stdout).toContain('new-watch   (tried to log in and was refused: wrong_credentials)');
    expect(stdout).toContain('vitalgate device add new-watch (--patient ID | --room ID)');
  });
});

describe('messages in quarantine', () => {
  let site: Site;
  let password: string;
  const own = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await vitalgate(...words, '--config', site.config);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    return stdout;
  };
  const publish = async (topic: string, ...payloads: readonly string[]): Promise<void> => {
    const client = await connectAsync(`mqtt://127.0.0.1:${site.ports.mqtt}`, { username: 'meter', password });
    for (const payload of payloads) await client.publishAsync(`devices/meter/${topic}`, payload, { qos: 1 });
    await client.endAsync();
  };
  const correct = async (): Promise<void> => {
    const sections = parse(readFileSync(site.config, 'utf8')) as Sections;
    site.writeConfig({ ...sections, gateway: { ...sections.gateway, profiles: [{ name: 'meter', decoder: 'csv-line', topic: 'devices/meter/own/topic' }] } });
    expect(await own('reload')).toContain('in force now: profiles');
  };

  beforeAll(async () => {
    site = await Site.running();
    ({ password } = await site.addDevice('meter', 'anna'));
    await publish('own/topic', 'co2,900,[ppm]', 'co2,901,[ppm]', 'garbage');
    await publish('readings', '{"measurement":"heart_rate","value":70,"unit":"bpm"}');
    await site.totals();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('are listed with who, what read them and why, and filtered', async () => {
    const all = (await own('quarantine', 'list')).trimEnd().split('\n');
    expect(all).toHaveLength(4);
    expect(all[0]).toMatch(/^ +\d+ {2}meter +- +unknown_topic: no profile reads the topic/);
    expect(all[3]).toMatch(/native-json 1 +wrong_unit/);
    expect((await own('quarantine', 'list', '--reason', 'wrong_unit')).trim().split('\n')).toHaveLength(1);
    expect(await own('quarantine', 'list', '--device', 'nobody')).toBe('nothing is in quarantine\n');
    expect((await own('quarantine', 'list', '--limit', '2')).trim().split('\n').at(-1)).toBe('and more; --limit shows them');
  });

  it('are shown with their bytes', async () => {
    const [first] = JSON.parse(await own('quarantine', 'list', '--json')) as { sequence: number }[];
    const shown = JSON.parse(await own('quarantine', 'show', String(first?.sequence), '--json')) as QuarantinedFrame;
    expect(shown).toMatchObject({ device: 'meter', topic: 'devices/meter/own/topic', source: 'mqtt', text: 'co2,900,[ppm]', bytes: 13, rejections: [{ reason: 'unknown_topic' }] });
    expect(await own('quarantine', 'show', String(first?.sequence))).toContain('because     unknown_topic');
    const { code, stderr } = await vitalgate('quarantine', 'show', '1', '--config', site.config);
    expect([code, stderr]).toEqual([2, 'vitalgate: frame 1 is not in quarantine\n']);
  });

  it('become readings after a correction, one by one or all at once; what is garbage stays', async () => {
    const [first] = JSON.parse(await own('quarantine', 'list', '--json')) as { sequence: number }[];
    const early = await vitalgate('quarantine', 'retry', String(first?.sequence), '--config', site.config);
    expect([early.code, early.stdout]).toEqual([1, expect.stringContaining('stays in quarantine: unknown_topic')]);
    await correct();
    expect(await own('quarantine', 'retry', String(first?.sequence))).toBe(`${first?.sequence} is understood now\n`);
    expect(await own('quarantine', 'retry', '--all')).toBe('3 messages tried again, 1 reading recovered\n');
    expect(await site.totals()).toMatchObject({ readings: 2, recovered: 2, events: 0 });
    const left = JSON.parse(await own('quarantine', 'list', '--json')) as { rejections: { reason: string }[]; decoder: { name: string } }[];
    expect(left.map(({ rejections: [one], decoder }) => `${decoder.name} ${one?.reason}`)).toEqual(['csv-line wrong_shape', 'native-json wrong_unit']);
  });

  it('keep their state through a restart', async () => {
    await site.gateway.stop();
    await site.startGateway();
    expect((await own('quarantine', 'list')).trim().split('\n')).toHaveLength(2);
    expect(await own('quarantine', 'retry', '--all')).toBe('2 messages tried again, 0 readings recovered\n');
  });
});

const needed = needs('mosquitto', 'mosquitto-clients');

describe.skipIf(needed.missing)(`a stranger on a broker somebody has already${needed.note}`, () => {
  let folder: string;
  let broker: Broker;
  let site: Site;
  const publish = async (topic: string, payload: object | string): Promise<void> => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const { code } = await run('mosquitto_pub', '-p', String(broker.port), '-q', '1', '-t', topic, '-m', text);
    expect(code).toBe(0);
  };
  const own = async (...words: readonly string[]): Promise<string> => (await vitalgate(...words, '--config', site.config)).stdout;
  const discover = async (): Promise<readonly Discovered[]> => (JSON.parse(await own('device', 'discover', '--json')) as Discovery).strangers;
  const listed = async (device: string): Promise<ListedDevice | undefined> => (JSON.parse(await own('device', 'list', '--json')) as ListedDevice[]).find((each) => each.device === device);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-strangers-'));
    const started = await startMosquitto(join(folder, 'broker'), 0, new AbortController().signal);
    if (started === undefined) throw new Error('mosquitto is not installed');
    broker = started;
    site = await Site.running({ gateway: { bridges: [{ name: 'home', url: `mqtt://127.0.0.1:${broker.port}`, topics: ['#'] }] } });
    await until('the bridge stands', async () => (await site.metric('vitalgate_bridges_connected')) === 1);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('is discovered with what it looks like, and reaches nobody until it is approved', async () => {
    await publish('zigbee2mqtt/bath room/climate', { temperature: 21.5, humidity: 60, battery: 87, linkquality: 120 });
    await publish('homeassistant/sensor/0x1/temperature/config', {
      name: 'temperature', unique_id: '0x1_t', state_topic: 'zigbee2mqtt/bath room/climate', unit_of_measurement: '°C', device_class: 'temperature',
      value_template: '{{ value_json.temperature }}', device: { name: 'bath room/climate', manufacturer: 'Aqara', model: 'WSDCGQ11LM' },
    });
    const strangers = await until('both are seen', async () => {
      const seen = await discover();
      return seen.length >= 2 && seen;
    });
    const climate = strangers.find(({ address }) => address === 'bath room/climate');
    expect(climate).toMatchObject({ connection: 'home', why: 'unapproved_device', looks: { family: 'zigbee2mqtt' }, suggestion: { bind: expect.stringContaining('bath-room-climate') } });
    expect(strangers.find(({ why }) => why === 'announced')).toMatchObject({ announced: [{ deviceName: 'bath room/climate', unit: 'Cel', measurement: 'room_temperature' }] });
    expect(await own('device', 'discover')).toMatch(/announces {3}bath room\/climate \(Aqara WSDCGQ11LM\): temperature in Cel, temperature of zigbee2mqtt\/bath room\/climate, probably room_temperature/);
    expect((await site.totals()).readings).toBe(0);
  });

  it('is ours with the lines that are suggested, and then listed with battery, signal, rate and whom it measures', async () => {
    const climate = (await discover()).find(({ address }) => address === 'bath room/climate');
    const suggested = parse((climate?.suggestion?.profile ?? []).join('\n')) as { profiles: object[] };
    const sections = parse(readFileSync(site.config, 'utf8')) as Sections;
    site.writeConfig({ ...sections, gateway: { ...sections.gateway, ...suggested } });
    expect(await own('reload')).toContain('in force now: profiles');
    await own('device', 'bind', 'bath-room-climate', '--room', 'bath');
    await publish('zigbee2mqtt/bath room/climate', { temperature: 22, humidity: 61, battery: 86, linkquality: 110 });
    await site.untilReadings(4);
    expect(await listed('bath-room-climate')).toMatchObject({ subject: { kind: 'room', id: 'bath' }, battery: 86, signal: 110, messages: 1, readings: 4, credential: false, clockAhead: null });
    expect((await discover()).some(({ address }) => address === 'bath room/climate')).toBe(false);
    expect(await own('device', 'list')).toMatch(/bath-room-climate +room\/bath +- +\S+ \S+ ago +- +86 % +110/);
    expect(await own('quarantine', 'retry', '--reason', 'unapproved_device')).toMatch(/1 message tried again/);
  });

  it('is traced behind its connection', async () => {
    const { stdout, code } = await vitalgate('trace', 'bath-room-climate', '--json', '--config', site.config);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: { device: 'home', topic: 'devices/home/zigbee2mqtt/bath room/climate', subject: 'room/bath' } });
  });

  it('is bound for a time: what comes after it is nobody\'s', async () => {
    const refused = await vitalgate('device', 'bind', 'bath-room-climate', '--room', 'bath', '--from', 'soon', '--config', site.config);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--from takes a time such as 2026-11-23T14:00')]);
    const before = await site.totals();
    await own('device', 'bind', 'bath-room-climate', '--room', 'guest', '--from', '2026-01-01', '--until', '2026-01-02T12:00:00Z');
    expect((await listed('bath-room-climate'))?.subject).toEqual({ kind: 'room', id: 'bath' });
    await publish('zigbee2mqtt/bath room/climate', { temperature: 23 });
    await site.untilReadings(before.readings + 1);
  });
});
