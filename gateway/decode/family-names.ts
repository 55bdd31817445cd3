/** The name of every family of families.ts, for those who need no decoder: decoders cost memory. */
export const FAMILY_NAMES: readonly string[] = [
  'native-json', 'native-cbor', 'senml-json', 'senml-cbor', 'csv-line', 'gatt', 'gatt-hex', 'gatt-line', 'nonin-2', 'nonin-7', 'nonin-8', 'nonin-13',
  'contec-9', 'contec-5', 'sparkplug', 'zigbee2mqtt', 'esphome', 'tasmota', 'shelly', 'home-assistant',
];
