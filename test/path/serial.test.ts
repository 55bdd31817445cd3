import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePacket, type Packet } from '../../gateway/ingest/cobs.ts';
import { needs } from '../debian-packages.ts';
import { until, vitalgate } from './program.ts';
import { SerialCable } from './serial-cable.ts';
import { Site } from './site.ts';

const needed = needs('socat');
const NAMES = ['oximeter', 'board', 'csv', 'ble'] as const;
type Name = (typeof NAMES)[number];
const DECODERS: Readonly<Record<Name, object>> = {
  oximeter: { decoder: 'contec-9' },
  board: { decoder: 'native-json', framing: 'cobs' },
  csv: { decoder: 'csv-line', baudRate: 9600 },
  ble: { decoder: 'gatt-line' },
};
/** A recorded packet: pulse 60 /min, SpO2 99 %, waveform 19 of 127. */
const CONTEC = Buffer.from('01E0849392BCE3FFFF', 'hex');
const ZERO = Buffer.of(0);

/** What is answered to each sequence, in the order it came. */
function answersIn(heard: Buffer): readonly string[] {
  const answers = Array.from({ length: 300 }, (_, i) => i).flatMap((sequence) =>
    (['ack', 'nack'] as const).map((type) => [`${type} ${sequence}`, Buffer.from(encodePacket({ type, sequence, payload: new Uint8Array() }))] as const));
  const places = answers.map(([name, bytes]) => [name, heard.indexOf(bytes)] as const).filter(([, at]) => at >= 0);
  return places.toSorted(([, a], [, b]) => a - b).map(([name]) => name);
}

describe.skipIf(needed.missing)(`devices on serial lines${needed.note}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-serial-'));
  const cables = Object.fromEntries(NAMES.map((name) => [name, new SerialCable(folder, name)])) as Record<Name, SerialCable>;
  let site: Site;
  const linesAreOpen = async (count: number): Promise<void> => {
    await until(`${count} lines are open`, async () => (await site.metric('vitalgate_serial_lines_open')) === count);
    expect(await site.metric('vitalgate_serial_lines_open')).toBe(count);
  };
  const packet = (sequence: number): Packet => ({
    type: 'data',
    sequence,
    payload: Buffer.from(JSON.stringify({ seq: sequence, time: 1_800_000_000_000 + sequence, measurement: 'spo2', value: 97, unit: '%' })),
  });

  beforeAll(async () => {
    const serial = NAMES.map((name) => ({ device: name, path: cables[name].path, ...DECODERS[name] }));
    site = await Site.running({ gateway: { serial } });
  });
  afterAll(async () => {
    for (const cable of Object.values(cables)) await cable[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('have no password: they are bound to whom they measure', async () => {
    for (const name of NAMES) expect((await vitalgate('device', 'bind', name, '--patient', 'anna', '--config', site.config)).code).toBe(0);
    const { stdout } = await vitalgate('device', 'list', '--config', site.config);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name} +patient/anna +-`, 'm'));
  });

  it('are waited for while they are not plugged in, and opened when they are', async () => {
    expect(await site.metric('vitalgate_serial_lines_open')).toBe(0);
    for (const cable of Object.values(cables)) await cable.plugIn();
    await linesAreOpen(NAMES.length);
  });

  it('are asked for their data where the format wants that', async () => {
    const { oximeter } = cables;
    await until('the oximeter was started', () => Promise.resolve(oximeter.heard.includes(Buffer.from('7D81A1808080808080', 'hex'))));
    expect(cables.csv.heard).toHaveLength(0);
  });

  it('are asked again when they say nothing: an oximeter may be switched on later than its cable was plugged in', async () => {
    const starts = (): number => cables.oximeter.heard.toString('hex').split('7d81a1808080808080').length - 1;
    await until('the oximeter was started twice', () => Promise.resolve(starts() >= 2));
    // A device that talks is kept talking.
    const keepAlives = (): number => cables.oximeter.heard.toString('hex').split('7d81af808080808080').length - 1;
    expect(keepAlives()).toBe(0);
    const before = await site.totals();
    await cables.oximeter.send(...Array.from({ length: 60 }, () => CONTEC));
    await site.untilReadings(before.readings + 1);
    await until('it is kept alive', () => Promise.resolve(keepAlives() >= 1));
  });

  it('are understood: an oximeter, a text line, a Bluetooth bridge', async () => {
    const before = await site.totals();
    // A second of the oximeter in two pieces: pulse, saturation, 60 samples of the waveform.
    await cables.oximeter.send(...Array.from({ length: 25 }, () => CONTEC), CONTEC.subarray(0, 4));
    await cables.oximeter.send(CONTEC.subarray(4), ...Array.from({ length: 34 }, () => CONTEC));
    await cables.csv.send(Buffer.from('# thermometer\r\nbody_temperature,37.2,Cel\r\nskin_temperature,90.5,[degF]\n'));
    await cables.ble.send(Buffer.from('AA:BB:CC:DD:EE:FF 2a37 00 50\n'));
    const { quarantined, readings } = await site.untilReadings(before.readings + 5);
    expect(readings).toBe(before.readings + 5);
    // The bridge names an address, and no profile says which device that is.
    expect(quarantined).toEqual({ unapproved_device: 1 });
  });

  it('get their acknowledgement when a packet is on the disk; a broken one gets none and is counted', async () => {
    const before = (await site.totals()).readings;
    const broken = encodePacket(packet(2));
    broken[10] = (broken[10] ?? 0) ^ 0x01;
    await cables.board.send(ZERO, encodePacket(packet(1)), ZERO, broken, ZERO, Buffer.from('noise'), ZERO, encodePacket(packet(3)), ZERO);
    await until('both are acknowledged', () => Promise.resolve(answersIn(cables.board.heard).length === 2));
    expect(answersIn(cables.board.heard)).toEqual(['ack 1', 'ack 3']);
    expect((await site.untilReadings(before + 2)).readings).toBe(before + 2);
    expect(await site.metric('vitalgate_serial_lost_bytes_total{reason="bad_checksum"}')).toBeGreaterThan(0);
  });

  it('may send a packet again: it is acknowledged again and counts once', async () => {
    const { readings, duplicates } = await site.totals();
    await cables.board.send(encodePacket(packet(3)), ZERO, encodePacket(packet(4)), ZERO);
    await until('it is acknowledged', () => Promise.resolve(answersIn(cables.board.heard).includes('ack 4')));
    expect(await site.untilReadings(readings + 1)).toMatchObject({ readings: readings + 1, duplicates: duplicates + 1 });
  });

  it('are opened again after they were unplugged', async () => {
    const before = (await site.totals()).readings;
    await cables.board.pullOut();
    await linesAreOpen(NAMES.length - 1);
    await cables.board.plugIn();
    await linesAreOpen(NAMES.length);
    await cables.board.send(ZERO, encodePacket(packet(5)), ZERO);
    await until('it is acknowledged', () => Promise.resolve(answersIn(cables.board.heard).includes('ack 5')));
    expect((await site.untilReadings(before + 1)).readings).toBe(before + 1);
  });

  it('have lost nothing that was acknowledged when the gateway is killed', async () => {
    const before = (await site.totals()).readings;
    const sent = Array.from({ length: 200 }, (_, i) => packet(20 + i));
    for (const each of sent) await cables.board.send(encodePacket(each), ZERO);
    await until('some are acknowledged', () => Promise.resolve(answersIn(cables.board.heard).length > 10));
    await site.gateway.kill();
    const acknowledged = answersIn(cables.board.heard).filter((answer) => answer.startsWith('ack ') && Number(answer.slice(4)) >= 20);
    await site.startGateway();
    await linesAreOpen(NAMES.length);
    // The device sends again what was not acknowledged.
    const missing = sent.filter(({ sequence }) => !acknowledged.includes(`ack ${sequence}`));
    for (const each of missing) await cables.board.send(ZERO, encodePacket(each), ZERO);
    expect((await site.untilReadings(before + sent.length)).readings).toBe(before + sent.length);
  });
});
