import { csvLine } from './csv-lines.ts';
import { channelFamily, nativeFamily, type Family } from './family.ts';
import { gatt, gattHex, gattLine } from './gatt.ts';
import { MEASUREMENTS } from './measurements.ts';
import { NATIVE_CBOR_VERSION, decodeNativeCbor } from './native-cbor.ts';
import { NATIVE_JSON_VERSION, decodeNativeJson } from './native-json.ts';
import { contec5, contec9, nonin13, nonin2, nonin7, nonin8 } from './oximeter.ts';
import type { ChannelMap, Profile } from './profile.ts';
import { senmlCbor, senmlJson } from './senml.ts';
import { sparkplug } from './sparkplug.ts';

/** Channels that are called what we call them. */
const OWN_NAMES: ChannelMap = Object.fromEntries([...MEASUREMENTS.keys()].map((measurement) => [measurement, { measurement }]));

const BODY: ChannelMap = { ...OWN_NAMES, pulse_amplitude_index: { measurement: 'perfusion_index' } };

/** An oximeter's waveform has no unit: it is kept as a part of its full scale. */
const oximeter = (fullScale: number): ChannelMap => ({ ...BODY, ppg: { measurement: 'ppg', scale: 1 / fullScale } });

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
];

/** Every family a profile can name. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(ALL.map((family) => [family.name, family]));

/** What devices may speak without any configuration: the topic names the family. */
export const BUILT_IN_PROFILES: readonly Profile[] = [
  { name: 'readings', decoder: 'native-json', topic: 'devices/+/readings' },
  ...[...FAMILIES.keys()].map((decoder) => ({ name: decoder, decoder, topic: `devices/+/${decoder}/#` })),
];
