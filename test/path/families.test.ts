import { connectAsync } from 'mqtt';
import { encode } from 'cborg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Totals } from '../../gateway/derive/derive-store.ts';
import { vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

/** A profile as its user writes it: two straps behind one Bluetooth hub. */
const STRAPS = {
  name: 'straps',
  decoder: 'gatt',
  topic: 'devices/hub/ble/#',
  devices: [
    { address: 'AA:BB:CC:DD:EE:01', device: 'strap-of-anna' },
    { address: 'AA:BB:CC:DD:EE:02', device: 'strap-of-otto' },
  ],
};
/** Two sensors behind a Sparkplug edge node, whose channels have names of their own. */
const EDGE = {
  name: 'edge',
  decoder: 'sparkplug',
  topic: 'devices/hub/sparkplug/#',
  devices: [{ address: 'Sparkplug B Devices/Raspberry Pi', device: 'raspberry', channels: { 'Supply Voltage': { measurement: 'signal', scale: 10 } } }],
};
/** A Zigbee network behind one connection; friendly names may hold a slash and blanks. */
const ZIGBEE = {
  name: 'zigbee',
  decoder: 'zigbee2mqtt',
  topic: 'devices/hub/zigbee2mqtt/#',
  devices: [{ address: 'living room/door', device: 'hall-door' }, { address: 'climate', device: 'bedroom-climate' }],
};
/** Sparkplug §6.4: the birth names `Supply Voltage` and gives it the alias 7; the data says 7 only. */
const BIRTH = Buffer.from(
  '08eaf2f5a8a02b12120a05626453657118eaf2f5a8a02b2004580012210a144e6f646520436f6e74726f6c2f5265626972746818eaf2f5a8a02b200b7000' +
    '12200a0e537570706c7920566f6c74616765100718eaf2f5a8a02b200965000044411800',
  'hex',
);
const DATA = Buffer.from('08eaf2f5a8a02b120e100718eaf2f5a8a02b650000803f1801', 'hex');

describe('devices of many families', () => {
  let site: Site;
  let hub: DeviceWithPassword;
  let before: Totals;

  beforeAll(async () => {
    site = await Site.running({ gateway: { profiles: [STRAPS, EDGE, ZIGBEE] } });
    hub = await site.addDevice('hub', 'anna');
    for (const [device, patient] of [['strap-of-anna', 'anna'], ['strap-of-otto', 'otto'], ['raspberry', 'anna']] as const) {
      await vitalgate('device', 'bind', device, '--patient', patient, '--config', site.config);
    }
    for (const device of ['hall-door', 'bedroom-climate']) await vitalgate('device', 'bind', device, '--room', '7', '--config', site.config);
    before = await site.totals();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const publish = async (...messages: readonly (readonly [topic: string, payload: string | Buffer])[]): Promise<void> => {
    const client = await connectAsync(`mqtt://127.0.0.1:${site.ports.mqtt}`, { username: 'hub', password: hub.password });
    for (const [topic, payload] of messages) await client.publishAsync(`devices/hub/${topic}`, payload, { qos: 1 });
    await client.endAsync();
  };
  /** How many readings, events and messages in quarantine they become. */
  const become = async (...messages: readonly (readonly [topic: string, payload: string | Buffer])[]): Promise<unknown> => {
    await publish(...messages);
    const after = await site.totals();
    const quarantined = Object.entries(after.quarantined).map(([reason, count]) => [reason, count - ((before.quarantined as Record<string, number>)[reason] ?? 0)]).filter(([, count]) => count !== 0);
    const change = { readings: after.readings - before.readings, events: after.events - before.events, ...Object.fromEntries(quarantined) as object };
    before = after;
    return change;
  };

  it.each<[string, string, string | Buffer, number]>([
    ['native JSON', 'readings', '{"seq":1,"time":1800000000001,"measurement":"heart_rate","value":70,"unit":"/min"}', 1],
    ['native CBOR', 'native-cbor', Buffer.from(encode({ seq: 2, time: 1_800_000_000_002, readings: [{ measurement: 'spo2', value: 97, unit: '%' }, { measurement: 'heart_rate', value: 70.5, unit: '/min' }] })), 2],
    ['SenML in JSON', 'senml-json', '[{"bn":"","n":"heart_rate","u":"beat/min","v":71},{"n":"body_temperature","u":"Cel","v":36.9}]', 2],
    ['SenML in CBOR', 'senml-cbor', Buffer.from(encode([new Map<number, unknown>([[0, 'heart_rate'], [1, 'beat/min'], [2, 72]])])), 1],
    ['CSV lines', 'csv-line', 'respiratory_rate,14,/min', 1],
    ['a heart rate with RR intervals as bytes', 'gatt/2a37', Buffer.from('105A0008000A', 'hex'), 3],
    ['an oximeter\'s spot check as hexadecimal digits', 'gatt-hex/0x2A5E', '00 62 00 48 00', 2],
    ['a thermometer in Fahrenheit', 'gatt/2a1c', Buffer.from('01DA0300FF', 'hex'), 1],
    ['Zigbee2MQTT, a door', 'zigbee2mqtt/living room/door', '{"contact":true,"battery":87,"linkquality":128,"voltage":3000}', 3],
    ['Zigbee2MQTT, a room', 'zigbee2mqtt/climate', '{"temperature":21.4,"humidity":48.2,"co2":870,"pressure":null,"device_temperature":31,"illuminance":196,"linkquality":92}', 5],
    ['Zigbee2MQTT, its bridge', 'zigbee2mqtt/bridge/state', '{"state":"online"}', 0],
    ['ESPHome', 'esphome/sensor/temperature/state', '21.5', 1],
    ['Tasmota', 'tasmota/tele/SENSOR', '{"Time":"2018-03-02T18:25:03","AM2301":{"Temperature":72.6,"Humidity":32.4},"TempUnit":"F"}', 2],
    [
      'Shelly', 'shelly/events/rpc',
      '{"src":"shellyplusht-b8d61a8b17cc","method":"NotifyFullStatus","params":{"ts":1800000000.62,"humidity:0":{"id":0,"rh":42.2},' +
        '"temperature:0":{"id":0,"tC":19.8,"tF":67.6},"devicepower:0":{"id":0,"battery":{"V":5.43,"percent":80}}}}', 3,
    ],
  ])('%s become readings', async (_what, topic, payload, readings) => {
    expect(await become([topic, payload])).toEqual({ readings, events: 0 });
  });

  it('behind one connection are told apart by the profile; a stranger among them is kept apart', async () => {
    const fast = Buffer.from('0096', 'hex'); // 150 /min
    const measured = await become(['ble/AA:BB:CC:DD:EE:01/2a37', fast], ['ble/AA:BB:CC:DD:EE:03/2a37', fast]);
    expect(measured).toEqual({ readings: 1, events: 1, unapproved_device: 1 });
    expect((await site.api.status()).lastEvent).toContain('patient/anna');
    expect(await become(['ble/AA:BB:CC:DD:EE:02/2a37', fast])).toEqual({ readings: 1, events: 1 });
    expect((await site.api.status()).lastEvent).toContain('patient/otto');
  });

  it('raise no alarm with what they do not vouch for', async () => {
    // SpO2 60 %, from the device's memory.
    expect(await become(['gatt/2a5f', Buffer.from('043C0048000002', 'hex')])).toEqual({ readings: 2, events: 0 });
    expect(await become(['gatt/2a5f', Buffer.from('003C004800', 'hex')])).toEqual({ readings: 2, events: 1 });
  });

  it('that give their channels names once are remembered, also across a kill of the gateway', async () => {
    expect(await become(['sparkplug/spBv1.0/Sparkplug B Devices/NBIRTH/Raspberry Pi', BIRTH])).toEqual({ readings: 1, events: 0 });
    await site.gateway.kill();
    await site.startGateway();
    expect(await become(['sparkplug/spBv1.0/Sparkplug B Devices/NDATA/Raspberry Pi', DATA])).toEqual({ readings: 1, events: 0 });
  });

  it('that send garbage are quarantined under a reason, and the others are not harmed', async () => {
    const counted = await become(
      ['senml-json', 'garbage'], ['native-cbor', Buffer.from('ff', 'hex')], ['gatt/2a37', Buffer.from('01', 'hex')], ['csv-line', 'heart_rate,fast,/min'],
      ['sparkplug/spBv1.0/a', Buffer.from('00', 'hex')], ['somewhere/else', '{}'],
      ['readings', '{"seq":3,"time":1800000060003,"measurement":"heart_rate","value":70,"unit":"/min"}'],
    );
    expect(counted).toMatchObject({ readings: 1, events: 1, invalid_json: 1 });
    expect(Object.values(counted as Record<string, number>).reduce((sum, count) => sum + count, 0)).toBe(2 + 6);
  });
});
