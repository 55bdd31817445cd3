/**
 * What Zigbee2MQTT and ESPHome announce of themselves to Home Assistant
 * (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery), retained, one message for each value:
 *
 *     <prefix>/<component>/<device id>/<key>/config      {"name":…,"unique_id":…,"state_topic":…,"device":{…},…}
 *
 * Zigbee2MQTT writes names in full and points into JSON with a template; ESPHome abbreviates them and its states are plain text.
 */

import { type Message, messageOf, topicOf } from './family.ts';

/** A value as its device describes it. */
export type Component = Readonly<{
  component: 'sensor' | 'binary_sensor';
  key: string;
  deviceClass?: string;
  unit?: string;
  /** What the value says when it is on and off, if that is not ON and OFF. */
  states?: readonly [on: boolean, off: boolean];
}>;

export type Announced = Component & Readonly<{ state: string; availability: string; inJson?: true }>;
export type About = Readonly<{ id: string; name: string; manufacturer: string; model: string }>;

/** Nothing when there is no prefix. */
export function announcements(prefix: string | undefined, form: 'full' | 'short', about: About, values: readonly Announced[]): readonly Message[] {
  if (prefix === undefined) return [];
  const node = about.id.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  return values.map((value) => {
    const topic = topicOf(prefix, value.component, node, value.key, 'config');
    return messageOf(topic, JSON.stringify(CONFIGS[form](about, value)), [], { qos: 1, retain: true, absolute: true });
  });
}

const CONFIGS: Readonly<Record<'full' | 'short', (about: About, value: Announced) => object>> = {
  full: ({ id, name, manufacturer, model }, { component, key, deviceClass, unit, states, state, availability, inJson }) => ({
    availability_topic: availability,
    device: { identifiers: [id], manufacturer, model, name },
    device_class: deviceClass,
    name: component === 'sensor' ? key : null,
    object_id: `${name}_${key}`,
    origin: { name: 'Zigbee2MQTT', url: 'https://www.zigbee2mqtt.io' },
    ...(states === undefined ? {} : { payload_on: states[0], payload_off: states[1] }),
    state_topic: state,
    unique_id: `${id}_${key}`,
    unit_of_measurement: unit,
    ...(inJson === true ? { value_template: `{{ value_json.${key} }}` } : {}),
  }),
  short: ({ id, name, manufacturer, model }, { key, deviceClass, unit, state, availability }) => ({
    dev_cla: deviceClass,
    unit_of_meas: unit,
    name: key,
    stat_t: state,
    avty_t: availability,
    uniq_id: `${id}${key}`,
    dev: { ids: id, name, mf: manufacturer, mdl: model },
  }),
};
