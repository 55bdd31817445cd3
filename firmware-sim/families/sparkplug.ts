/**
 * Sparkplug B 3.0 (Eclipse Foundation): an edge node with one device, the patient's.
 *
 *     spBv1.0/home/NBIRTH/<edge node>             bdSeq, Node Control/Rebirth; `seq` 0
 *     spBv1.0/home/DBIRTH/<edge node>/patient     names, aliases, types, units and values of all metrics
 *     spBv1.0/home/DDATA/<edge node>/patient      values by alias
 *     spBv1.0/home/NDEATH/<edge node>             the will, with the bdSeq of the birth that follows it (§6.4.25)
 *     spBv1.0/home/NCMD/<edge node>               Node Control/Rebirth true makes it say its births again (§6.4.23)
 *
 * `seq` counts the messages of a node but NDEATH from 0 to 255 and begins anew with every NBIRTH. All but the will have QoS 0.
 */

import protobuf from 'protobufjs/light.js';
import { Seconds, type UnixMillis } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { type Family, type Message, messageOf, rounded, type Speaker, type Told, told, topicOf, type Who } from './family.ts';

export const sparkplug: Family = {
  name: 'sparkplug',
  summary: 'Sparkplug B edge node with a patient\'s device: births name the metrics, data has their aliases',
  every: Seconds(1),
  variants: ['values'],
  mqtt: true,
  named: true,
  speaker: (who) => new EdgeNode(who),
};

/** §6.4.16. */
const TYPES = { int32: 3, int64: 4, uint16: 6, float: 9, double: 10, boolean: 11 } as const;
type TypeName = keyof typeof TYPES;

/** A metric as its birth names it; `unit` is the property engUnit of Ignition. */
type Metric = Readonly<{ measurement: string; type: TypeName; unit: string; ofBody: boolean; valueOf: (snapshot: Snapshot) => number }>;

/** Aliases are places in this list, from 1. */
const METRICS: readonly Metric[] = [
  { measurement: 'heart_rate', type: 'uint16', unit: 'bpm', ofBody: true, valueOf: ({ body }) => rounded(body.heartRate) },
  { measurement: 'spo2', type: 'float', unit: '%', ofBody: true, valueOf: ({ body }) => rounded(body.spo2, 1) },
  { measurement: 'respiratory_rate', type: 'double', unit: '/min', ofBody: true, valueOf: ({ body }) => rounded(body.respiratoryRate, 1) },
  { measurement: 'skin_temperature', type: 'float', unit: '°C', ofBody: true, valueOf: ({ body }) => rounded(body.skinTemperature, 2) },
  { measurement: 'room_temperature', type: 'double', unit: 'degC', ofBody: false, valueOf: ({ room }) => rounded(room.temperature, 2) },
  { measurement: 'co2', type: 'int32', unit: 'ppm', ofBody: false, valueOf: ({ room }) => rounded(room.co2) },
  { measurement: 'motion', type: 'boolean', unit: '1', ofBody: false, valueOf: ({ room }) => (room.motion ? 1 : 0) },
  { measurement: 'battery', type: 'int32', unit: '%', ofBody: false, valueOf: ({ battery }) => battery },
];

const REBIRTH = 'Node Control/Rebirth';
const DEVICE = 'patient';

class EdgeNode implements Speaker {
  readonly #edge: string;
  #bdSeq = -1;
  #seq = 0;

  constructor({ name, device }: Who) {
    this.#edge = name ?? device;
  }

  get hears(): NonNullable<Speaker['hears']> {
    const answer = (payload: Uint8Array, snapshot: Snapshot): readonly Message[] => (asksForRebirth(payload) ? this.greet(snapshot) : []);
    return { topic: this.#topic('NCMD'), answer };
  }

  /** Counts the sessions: 0 to 255, then 0. */
  will(): Message {
    this.#bdSeq = (this.#bdSeq + 1) % 256;
    return this.#death(1);
  }

  greet(snapshot: Snapshot): readonly Message[] {
    this.#seq = 0;
    const own = [bdSeqMetric(this.#bdSeq), metricBytes({ name: REBIRTH, time: snapshot.time, type: 'boolean', value: 0 })];
    return [
      messageOf(this.#topic('NBIRTH'), this.#payload(snapshot.time, own), [], { qos: 0 }),
      this.#device('DBIRTH', snapshot, ({ measurement: name, unit }, alias) => ({ name, alias, unit })),
    ];
  }

  say(snapshot: Snapshot): readonly Message[] {
    return [this.#device('DDATA', snapshot, (_metric, alias) => ({ alias }))];
  }

  /** Before a clean end the node says itself what else the broker would (§5.4). */
  farewell(): readonly Message[] {
    return [this.#death(0)];
  }

  #topic(verb: string, device?: string): string {
    return topicOf('spBv1.0', 'home', verb, this.#edge, device);
  }

  #death(qos: 0 | 1): Message {
    return messageOf(this.#topic('NDEATH'), writer(undefined, [bdSeqMetric(this.#bdSeq)], undefined), [], { qos });
  }

  #device(verb: string, snapshot: Snapshot, naming: (metric: Metric, alias: number) => Naming): Message {
    const { time, sensorOff } = snapshot;
    const values = METRICS.map((metric) => (metric.ofBody && sensorOff ? undefined : asSent(metric, snapshot)));
    const bytes = METRICS.map((metric, i) => metricBytes({ ...naming(metric, i + 1), time, type: metric.type, value: values[i] }));
    const tells = METRICS.flatMap(({ measurement }, i): readonly Told[] => (values[i] === undefined ? [] : [told(measurement, values[i])]));
    return messageOf(this.#topic(verb, DEVICE), this.#payload(time, bytes), tells, { qos: 0 });
  }

  #payload(time: UnixMillis, metrics: readonly Uint8Array[]): Uint8Array {
    const payload = writer(time, metrics, this.#seq);
    this.#seq = (this.#seq + 1) % 256;
    return payload;
  }
}

/** A float has 24 significant bits. */
function asSent({ type, valueOf }: Metric, snapshot: Snapshot): number {
  return type === 'float' ? Math.fround(valueOf(snapshot)) : valueOf(snapshot);
}

// Payloads by the field numbers of §6.4.1: tag = number × 8 + wire type (0 varint, 1 eight bytes, 2 length, 5 four bytes)

const tag = (field: number, wireType: 0 | 1 | 2 | 5): number => (field << 3) | wireType;

/** Payload: timestamp = 1, metrics = 2, seq = 3. */
function writer(time: UnixMillis | undefined, metrics: readonly Uint8Array[], seq: number | undefined): Uint8Array {
  const out = protobuf.Writer.create();
  if (time !== undefined) out.uint32(tag(1, 0)).uint64(time);
  for (const metric of metrics) out.uint32(tag(2, 2)).bytes(metric);
  if (seq !== undefined) out.uint32(tag(3, 0)).uint64(seq);
  return out.finish();
}

type Naming = Readonly<{ name?: string; alias?: number; unit?: string }>;
type Said = Naming & Readonly<{ time?: UnixMillis; type: TypeName; value: number | undefined }>;

/** Metric: name = 1, alias = 2, timestamp = 3, datatype = 4, is_null = 7, properties = 9, and its value. */
function metricBytes({ name, alias, unit, time, type, value }: Said): Uint8Array {
  const out = protobuf.Writer.create();
  if (name !== undefined) out.uint32(tag(1, 2)).string(name);
  if (alias !== undefined) out.uint32(tag(2, 0)).uint64(alias);
  if (time !== undefined) out.uint32(tag(3, 0)).uint64(time);
  // Data may leave the type to the birth (§6.4.6).
  if (name !== undefined) out.uint32(tag(4, 0)).uint32(TYPES[type]);
  if (value === undefined) out.uint32(tag(7, 0)).bool(true);
  if (unit !== undefined) out.uint32(tag(9, 2)).bytes(unitProperty(unit));
  if (value !== undefined) WRITE[type](out, value);
  return out.finish();
}

/** int_value = 10, long_value = 11, float_value = 12, double_value = 13, boolean_value = 14. */
const WRITE: Readonly<Record<TypeName, (out: protobuf.Writer, value: number) => unknown>> = {
  int32: (out, value) => out.uint32(tag(10, 0)).uint32(value >>> 0),
  uint16: (out, value) => out.uint32(tag(10, 0)).uint32(value),
  int64: (out, value) => out.uint32(tag(11, 0)).uint64(value),
  float: (out, value) => out.uint32(tag(12, 5)).float(value),
  double: (out, value) => out.uint32(tag(13, 1)).double(value),
  boolean: (out, value) => out.uint32(tag(14, 0)).bool(value !== 0),
};

const bdSeqMetric = (bdSeq: number): Uint8Array => metricBytes({ name: 'bdSeq', type: 'int64', value: bdSeq });

const STRING = 12;

/** PropertySet: keys = 1, values = 2; PropertyValue: type = 1, string_value = 8. */
function unitProperty(unit: string): Uint8Array {
  const value = protobuf.Writer.create().uint32(tag(1, 0)).uint32(STRING).uint32(tag(8, 2)).string(unit).finish();
  return protobuf.Writer.create().uint32(tag(1, 2)).string('engUnit').uint32(tag(2, 2)).bytes(value).finish();
}

/** Whether a command has the metric `Node Control/Rebirth` with the value true; what cannot be read asks for nothing. */
function asksForRebirth(payload: Uint8Array): boolean {
  try {
    return fieldsOf(payload).some(({ field, bytes }) => field === 2 && bytes !== undefined && isRebirth(fieldsOf(bytes)));
  } catch {
    return false;
  }
}

type WireField = Readonly<{ field: number; bytes?: Uint8Array; number?: number }>;

function isRebirth(metric: readonly WireField[]): boolean {
  const isNamed = metric.some(({ field, bytes }) => field === 1 && bytes !== undefined && Buffer.from(bytes).toString('utf8') === REBIRTH);
  return isNamed && metric.some(({ field, number }) => field === 14 && number === 1);
}

/** The fields of a message, those of other wire types passed over. Throws when the bytes break off. */
function fieldsOf(bytes: Uint8Array): readonly WireField[] {
  const reader = protobuf.Reader.create(bytes);
  const fields: WireField[] = [];
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    const field = key >>> 3;
    if ((key & 7) === 2) fields.push({ field, bytes: reader.bytes() });
    else if ((key & 7) === 0) fields.push({ field, number: reader.uint32() });
    else reader.skipType(key & 7);
  }
  return fields;
}
