/** Every family the simulator speaks. */

import { contec5, contec9 } from './contec.ts';
import { csvLine } from './csv-line.ts';
import { esphome } from './esphome.ts';
import type { Family } from './family.ts';
import { gatt, gattHex, gattLine } from './gatt.ts';
import { nativeCbor, nativeJson } from './native.ts';
import { nonin13, nonin2, nonin7, nonin8 } from './nonin.ts';
import { senmlCbor, senmlJson } from './senml.ts';
import { shelly } from './shelly.ts';
import { sparkplug } from './sparkplug.ts';
import { tasmota } from './tasmota.ts';
import { zigbee2mqtt } from './zigbee2mqtt.ts';

const ALL: readonly Family[] = [
  nativeJson, nativeCbor, senmlJson, senmlCbor, csvLine, gatt, gattHex, gattLine, nonin2, nonin7, nonin8, nonin13, contec9, contec5,
  sparkplug, zigbee2mqtt, esphome, tasmota, shelly,
];

export const FAMILIES: ReadonlyMap<string, Family> = new Map(ALL.map((family) => [family.name, family]));
