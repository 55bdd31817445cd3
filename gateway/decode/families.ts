import { csvLine } from './csv-lines.ts';
import { esphome } from './esphome.ts';
import { channelFamily, discoveryFamily, nativeFamily, type Family } from './family.ts';
import { gatt, gattHex, gattLine } from './gatt.ts';
import { MEASUREMENTS } from './measurements.ts';
import { NATIVE_CBOR_VERSION, decodeNativeCbor } from './native-cbor.ts';
import { NATIVE_JSON_VERSION, decodeNativeJson } from './native-json.ts';
import { contec5, contec9, nonin13, nonin2, nonin7, nonin8 } from './oximeter.ts';
import type { ChannelMap, Profile } from './profile.ts';
import { senmlCbor, senmlJson } from './senml.ts';
import { shelly } from './shelly.ts';
import { sparkplug } from './sparkplug.ts';
import { tasmota } from './tasmota.ts';
import { zigbee2mqtt } from './zigbee2mqtt.ts';

/** Channels that are called what we call them. */
const OWN_NAMES: ChannelMap = Object.fromEntries([...MEASUREMENTS.keys()].map((measurement) => [measurement, { measurement }]));

const BODY: ChannelMap = { ...OWN_NAMES, pulse_amplitude_index: { measurement: 'perfusion_index' } };

/** An oximeter's waveform has no unit: it is kept as a part of its full scale. */
const oximeter = (fullScale: number): ChannelMap => ({ ...BODY, ppg: { measurement: 'ppg', scale: 1 / fullScale } });

/** What room sensors call what they measure. A chip's own temperature (`device_temperature`) is not the room's. */
const ROOM: ChannelMap = {
  ...OWN_NAMES,
  temperature: { measurement: 'room_temperature' },
  pressure: { measurement: 'air_pressure' },
  occupancy: { measurement: 'motion' },
  presence: { measurement: 'motion' },
  // A contact that is closed says 1; `door` is 1 when it is open.
  contact: { measurement: 'door', scale: -1, offset: 1 },
  pm25: { measurement: 'particulates_2_5' },
  linkquality: { measurement: 'signal' },
};

/** Version 1 of Zigbee2MQTT sends both, and there only this one is in lux; version 2 has `illuminance` alone, in lux. */
const ZIGBEE: ChannelMap = { ...ROOM, illuminance_lux: { measurement: 'illuminance' } };

const TASMOTA: ChannelMap = {
  Temperature: { measurement: 'room_temperature' },
  Humidity: { measurement: 'humidity' },
  Pressure: { measurement: 'air_pressure' },
  CarbonDioxide: { measurement: 'co2' },
  Illuminance: { measurement: 'illuminance' },
};

const SHELLY: ChannelMap = {
  tC: { measurement: 'room_temperature' },
  rh: { measurement: 'humidity' },
  percent: { measurement: 'battery' },
  lux: { measurement: 'illuminance' },
  apower: { measurement: 'power' },
  'flood:0.alarm': { measurement: 'water_leak' },
  'smoke:0.alarm': { measurement: 'smoke' },
};

const ALL: readonly Family[] = [
  nativeFamily('native-json', NATIVE_JSON_VERSION, decodeNativeJson),
  nativeFamily('native-cbor', NATIVE_CBOR_VERSION, decodeNativeCbor),
  channelFamily(senmlJson, OWN_NAMES),
  channelFamily(senmlCbor, OWN_NAMES),
  channelFamily(csvLine, OWN_NAMES),
  channelFamily(gatt, BODY),
  channelFamily(gattHex, BODY),
  channelFamily(gattLine, BODY),
  channelFamily(nonin2, oximeter(0xff)),
  channelFamily(nonin7, oximeter(0xffff)),
  channelFamily(nonin8, BODY),
  channelFamily(nonin13, BODY),
  channelFamily(contec9, oximeter(0x7f)),
  channelFamily(contec5, oximeter(0x7f)),
  channelFamily(sparkplug, OWN_NAMES),
  channelFamily(zigbee2mqtt, ZIGBEE),
  channelFamily(esphome, ROOM),
  channelFamily(tasmota, TASMOTA),
  channelFamily(shelly, SHELLY),
  discoveryFamily('home-assistant', 1),
];

/** Every family a profile can name. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(ALL.map((family) => [family.name, family]));

/** What devices may speak without any configuration: the topic names the family. */
export const BUILT_IN_PROFILES: readonly Profile[] = [
  { name: 'readings', decoder: 'native-json', topic: 'devices/+/readings' },
  // Discovery topics begin with this word unless somebody changed it.
  { name: 'discovery', decoder: 'home-assistant', topic: 'devices/+/homeassistant/#' },
  ...[...FAMILIES.keys()].map((decoder) => ({ name: decoder, decoder, topic: `devices/+/${decoder}/#` })),
];
