/**
 * Sparkplug B 3.0 (Eclipse Foundation): edge nodes that announce the names and types of their metrics once, in a birth, and
 * then send values under short numbers (aliases). The decoder remembers the births of each connection.
 *
 *     spBv1.0/<group>/<NBIRTH|NDEATH|DBIRTH|DDEATH|NDATA|DDATA|NCMD|DCMD>/<edge node>[/<device>]      `spBv1.0/` may be missing
 *
 *     NBIRTH   forgets the node's births, its own counts from here on
 *     DBIRTH   replaces the birth of one device
 *     NDATA, DDATA   mean nothing without the birth of the same node or device
 *     NDEATH   counts when its bdSeq is that of the last NBIRTH: a will that comes late is about an earlier session
 *     DDEATH   forgets the birth of one device
 *     NCMD, DCMD, STATE   are said by hosts, not by sources: nothing
 *
 * All messages of a node but NDEATH are numbered 0 to 255, 0, … without gaps. A number that jumped forward is a message
 * that was lost: the births stand, and `resync` is noted. One that fell back is more likely a lost NBIRTH, whose numbers
 * start from 0 again, than almost 256 lost messages: its births are forgotten, since a number could mean another metric by
 * now. What no number can tell is an NBIRTH that is lost when the very number after the last one follows it.
 *
 * A metric that no birth names is refused as `unknown_measurement`: what it measures is not known. Whoever holds the
 * connection answers `resync` with {@link rebirthRequest} (../rebirths.ts), and MUST limit how often: a birth too large for
 * the memory is as large when it is said again. With `offline` of a node, all its devices are.
 *
 * The number is not given as the sequence of what was decoded: it repeats after 256 messages and would make equal ones of
 * them one.
 */

import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Channel, Decoded, Decoder, Notice } from './decoder.ts';
import { encodePayload, readPayload, type Metric, type Payload, type Property, type Wide } from './sparkplug-wire.ts';

const MAX_NODES = 64;
/** Metrics that are remembered of an edge node and all its devices together; a birth without any counts as one. */
const MAX_KNOWN_METRICS = 1024;
/** Characters of JSON after which no birth is remembered; 64 edge nodes without any and their numbers stay below 1 MiB with them. */
const MAX_MEMORY_LENGTH = 900_000;
const MAX_NAME_LENGTH = 128;
const MAX_ADDRESS_LENGTH = 256;
/** The last instant of a JavaScript date, milliseconds: whatever lies beyond is no time. */
const LAST_TIME = 8.64e15;

/** What a birth said of a metric. */
type KnownMetric = Readonly<{
  /** Empty when it is too long for a channel: the metric is known, and no reading. */
  name: string;
  alias?: number;
  /** {@link DATA_TYPES}; 0 when the birth said none. */
  datatype: number;
  /** UCUM. */
  unit?: string;
}>;
/** `device` is empty for the metrics of the edge node itself. */
type Birth = Readonly<{ device: string; metrics: readonly KnownMetric[] }>;
type EdgeNode = Readonly<{
  /** `<group>/<edge node>`. */
  address: string;
  /** Of the last NBIRTH; absent when it had none. */
  bdSeq?: number;
  /** Of the last message, 0 to 255. */
  seq: number;
  births: readonly Birth[];
}>;

/** The edge nodes of a connection that are alive. JSON of at most 1 MiB; at most 64 of them with 1,024 metrics each. */
export type SparkplugMemory = Readonly<{ nodes: readonly EdgeNode[] }>;

export const sparkplug: Decoder<SparkplugMemory> = {
  name: 'sparkplug',
  version: 2,
  decode: (input, memory = { nodes: [] }) => {
    const topic = topicOf(input.topic);
    if (topic === undefined) return { channels: [], rejected: [], notices: [] };
    const node = memory.nodes.find(({ address }) => address === topic.node);
    try {
      return HANDLERS[topic.verb]({ topic, payload: readPayload(input.payload), memory, node });
    } catch (error) {
      if (!(error instanceof DecodeError) || node === undefined || !topic.verb.endsWith('BIRTH')) throw error;
      return misbirth(topic, memory, node, error);
    }
  },
};

// What is done with each message

type Verb = 'NBIRTH' | 'NDEATH' | 'DBIRTH' | 'DDEATH' | 'NDATA' | 'DDATA';
/** `device` is empty for messages of the edge node itself. */
type Topic = Readonly<{ verb: Verb; node: string; device: string; address: string }>;
type Message = Readonly<{ topic: Topic; payload: Payload; memory: SparkplugMemory; node: EdgeNode | undefined }>;
type Outcome = Decoded<SparkplugMemory>;

const HANDLERS: Readonly<Record<Verb, (message: Message) => Outcome>> = {
  NBIRTH: nodeBirth,
  NDEATH: nodeDeath,
  DBIRTH: deviceBirth,
  DDEATH: deviceDeath,
  NDATA: data,
  DDATA: data,
};

function nodeBirth({ topic, payload, memory }: Message): Outcome {
  const others = memory.nodes.filter(({ address }) => address !== topic.node);
  if (others.length >= MAX_NODES) return refused(topic, 'too_complex', `more than ${MAX_NODES} edge nodes behind one connection`);
  const bdSeq = bdSeqOf(payload);
  const born = bornWith(payload, '');
  const node: EdgeNode = { address: topic.node, seq: seqOf(payload), births: [], ...(bdSeq === undefined ? {} : { bdSeq }) };
  return introduced(topic, payload, { nodes: [...others, node] }, { node, born, notices: ['online'] });
}

function nodeDeath({ topic, payload, memory, node }: Message): Outcome {
  const nothing: Outcome = { address: topic.address, channels: [], rejected: [], notices: [] };
  if (node === undefined || bdSeqOf(payload) !== node.bdSeq) return nothing;
  // Its time is that of the connection's start, when the will was left with the broker.
  return { ...nothing, notices: ['offline'], memory: { nodes: memory.nodes.filter((each) => each !== node) } };
}

function deviceBirth({ topic, payload, memory, node: before }: Message): Outcome {
  if (before === undefined) return refused(topic, 'unknown_measurement', 'a device was born before its edge node');
  const { node, missed } = followed(before, payload);
  return introduced(topic, payload, memory, { node, born: bornWith(payload, topic.device), notices: ['online', ...resyncIf(missed)] });
}

function deviceDeath({ topic, payload, memory, node: before }: Message): Outcome {
  const nothing: Outcome = { address: topic.address, channels: [], rejected: [], notices: ['offline', 'resync'], ...timeOfPayload(payload) };
  if (before === undefined) return nothing;
  const { node, missed } = followed(before, payload);
  return { ...nothing, notices: ['offline', ...resyncIf(missed)], memory: withNode(memory, withoutBirth(node, topic.device)) };
}

function data({ topic, payload, memory, node: before }: Message): Outcome {
  if (before === undefined) return refused(topic, 'unknown_measurement', 'data came before the birth that names it');
  const { node, missed } = followed(before, payload);
  const known = new KnownMetrics(node.births.find(({ device }) => device === topic.device));
  const { channels, rejected } = read(payload, (metric) => known.find(metric));
  return {
    address: topic.address,
    ...timeOfPayload(payload),
    channels,
    rejected,
    notices: resyncIf(missed || known.missed),
    memory: withNode(memory, node),
  };
}

/** A birth that cannot be understood still says that the one before it no longer holds: its aliases are forgotten. */
function misbirth(topic: Topic, memory: SparkplugMemory, node: EdgeNode, error: DecodeError): Outcome {
  const without = topic.verb === 'NBIRTH' ? { ...node, births: [] } : withoutBirth(node, topic.device);
  return { address: topic.address, channels: [], rejected: [error], notices: ['resync'], memory: withNode(memory, without) };
}

/** A whole message that cannot be used. It is returned, not thrown: a notice goes with it. */
function refused({ address }: Topic, reason: 'unknown_measurement' | 'too_complex', message: string): Outcome {
  return { address, channels: [], rejected: [new DecodeError(reason, message)], notices: ['resync'] };
}

const resyncIf = (missed: boolean): readonly Notice[] => (missed ? ['resync'] : []);

type Introduction = Readonly<{ node: EdgeNode; born: Born; notices: readonly Notice[] }>;

/** Remembers a birth, and reads the values that came with it. One that is too large leaves its node or device without any. */
function introduced(topic: Topic, payload: Payload, memory: SparkplugMemory, { node: before, born, notices }: Introduction): Outcome {
  const without = withoutBirth(before, topic.device);
  const node = { ...without, births: [...without.births, born.birth] };
  const grown = withNode(memory, node);
  const excess = excessOf(node, grown);
  if (excess !== undefined) return { ...refused(topic, 'too_complex', excess), memory: withNode(memory, without) };
  const { channels, rejected } = read(payload, (metric) => born.known.get(metric));
  return {
    address: topic.address,
    ...timeOfPayload(payload),
    channels,
    rejected: [...born.rejected, ...rejected],
    notices,
    memory: grown,
  };
}

/** Why a birth is not remembered, in words. */
function excessOf({ births }: EdgeNode, memory: SparkplugMemory): string | undefined {
  const size = births.reduce((sum, { metrics }) => sum + Math.max(1, metrics.length), 0);
  if (size > MAX_KNOWN_METRICS) return `more than ${MAX_KNOWN_METRICS} metrics of one edge node`;
  return JSON.stringify(memory).length > MAX_MEMORY_LENGTH ? 'more than can be remembered of one connection' : undefined;
}

function withNode({ nodes }: SparkplugMemory, node: EdgeNode): SparkplugMemory {
  return { nodes: nodes.map((each) => (each.address === node.address ? node : each)) };
}

function withoutBirth(node: EdgeNode, device: string): EdgeNode {
  return { ...node, births: node.births.filter((birth) => birth.device !== device) };
}

/** The node after this message, and whether one was missed before it. */
function followed(node: EdgeNode, payload: Payload): Readonly<{ node: EdgeNode; missed: boolean }> {
  const seq = seqOf(payload);
  if (seq === (node.seq + 1) % 256) return { node: { ...node, seq }, missed: false };
  return { node: { ...node, seq, births: seq > node.seq ? node.births : [] }, missed: true };
}

// Topics

const VERBS: ReadonlySet<string> = new Set(Object.keys(HANDLERS));
const COMMANDS: ReadonlySet<string> = new Set(['NCMD', 'DCMD']);
const PREFIX = 'spBv1.0/';

/** Undefined for what hosts say. */
function topicOf(text: string): Topic | undefined {
  const [group, verb, edge, device = '', ...more] = (text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text).split('/');
  if (group === 'STATE' && edge === undefined && isGiven(verb)) return undefined;
  if (!isGiven(group) || verb === undefined || !isGiven(edge) || more.length > 0) throw notOurs();
  const isOfDevice = verb.startsWith('D');
  if (isOfDevice !== isGiven(device)) throw notOurs();
  if (COMMANDS.has(verb)) return undefined;
  if (!VERBS.has(verb)) throw notOurs();
  const node = `${group}/${edge}`;
  const address = isOfDevice ? `${node}/${device}` : node;
  if (address.length > MAX_ADDRESS_LENGTH) {
    throw new DecodeError('unknown_topic', `the names in the topic have more than ${MAX_ADDRESS_LENGTH} characters`);
  }
  return { verb: verb as Verb, node, device, address };
}

const isGiven = (part: string | undefined): part is string => part !== undefined && part !== '';
const notOurs = (): DecodeError => new DecodeError('unknown_topic', 'the topic is none of Sparkplug: <group>/<message type>/<edge node>[/<device>]');

// Metrics

type Born = Readonly<{ birth: Birth; known: ReadonlyMap<Metric, KnownMetric>; rejected: readonly DecodeError[] }>;

/** What a birth announces. Names must be there once; an alias that stands for two metrics stands for none. */
function bornWith({ metrics }: Payload, device: string): Born {
  const known = new Map<Metric, KnownMetric>();
  const rejected: DecodeError[] = [];
  const [names, aliases, ambiguous] = [new Set<string>(), new Set<number>(), new Set<number>()];
  for (const metric of metrics) {
    try {
      const each = announcedBy(metric);
      if (names.has(each.name) && each.name !== '') throw new DecodeError('wrong_shape', 'a birth names a metric twice');
      names.add(each.name);
      if (each.alias !== undefined) (aliases.has(each.alias) ? ambiguous : aliases).add(each.alias);
      known.set(metric, each);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      rejected.push(error);
    }
  }
  if (ambiguous.size > 0) rejected.push(new DecodeError('wrong_shape', 'a birth gives one alias to several metrics'));
  const birth = { device, metrics: [...known.values()].map((each) => withoutAlias(each, ambiguous)) };
  return { birth, known, rejected };
}

function announcedBy(metric: Metric): KnownMetric {
  const name = nameIn(metric);
  if (name === undefined) throw new DecodeError('wrong_shape', 'a birth has a metric without a name');
  const [alias, unit] = [aliasIn(metric), unitIn(metric)];
  return {
    name: name.length > MAX_NAME_LENGTH ? '' : name,
    datatype: metric.datatype ?? 0,
    ...(alias === undefined ? {} : { alias }),
    ...(unit === undefined ? {} : { unit }),
  };
}

function withoutAlias(metric: KnownMetric, ambiguous: ReadonlySet<number>): KnownMetric {
  if (metric.alias === undefined || !ambiguous.has(metric.alias)) return metric;
  const { alias: _, ...rest } = metric;
  return rest;
}

/** The metrics of one birth, by what data calls them: their alias, or their name when they have none. */
class KnownMetrics {
  readonly #byName = new Map<string, KnownMetric>();
  readonly #byAlias = new Map<number, KnownMetric>();
  /** Whether something was asked for that no birth named. */
  missed = false;

  constructor(birth: Birth | undefined) {
    for (const metric of birth?.metrics ?? []) {
      if (metric.name !== '') this.#byName.set(metric.name, metric);
      if (metric.alias !== undefined) this.#byAlias.set(metric.alias, metric);
    }
  }

  find(metric: Metric): KnownMetric {
    const [name, alias] = [nameIn(metric), aliasIn(metric)];
    if (name !== undefined && name.length > MAX_NAME_LENGTH) {
      throw new DecodeError('too_complex', `the name of a metric has more than ${MAX_NAME_LENGTH} characters`);
    }
    const known = name === undefined ? alias !== undefined && this.#byAlias.get(alias) : this.#byName.get(name);
    if (known === undefined || known === false || (alias !== undefined && known.alias !== alias)) {
      this.missed = true;
      throw new DecodeError('unknown_measurement', 'no birth names this metric');
    }
    if (metric.datatype !== undefined && metric.datatype !== known.datatype) {
      throw new DecodeError('wrong_shape', 'a metric is of another type than its birth said');
    }
    return known;
  }
}

/** The channels of a payload, whose metrics `known` explains. What it does not explain, a birth refused already. */
function read(payload: Payload, known: (metric: Metric) => KnownMetric | undefined): Readonly<{ channels: Channel[]; rejected: DecodeError[] }> {
  const channels: Channel[] = [];
  const rejected: DecodeError[] = [];
  for (const metric of payload.metrics) {
    try {
      const meaning = known(metric);
      const channel = meaning && channelOf(metric, meaning);
      if (channel !== undefined) channels.push(channel);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      rejected.push(error);
    }
  }
  return { channels, rejected };
}

/** Metrics that command a node or a device, or count its sessions, measure nothing. */
const NO_READING = /^(?:(?:Node|Device) Control\/|bdSeq$|$)/;

/** Undefined for what is no reading: commands, text, tables, templates, and values that are null or bad. */
function channelOf(metric: Metric, known: KnownMetric): Channel | undefined {
  if (NO_READING.test(known.name) || metric.is_null === true) return undefined;
  const quality = qualityOf(metric);
  if (quality === 'bad') return undefined;
  const value = valueOf(metric, known.datatype);
  if (value === undefined) return undefined;
  const unit = unitIn(metric) ?? known.unit;
  const deviceTime = timeIn(metric.timestamp);
  const isOld = metric.is_historical === true || quality === 'stale';
  return {
    name: known.name,
    value,
    ...(unit === undefined ? {} : { unit }),
    ...(deviceTime === undefined ? {} : { deviceTime }),
    ...(isOld ? { doubt: 'stored' as const } : {}),
  };
}

// Values

/** Those of Sparkplug 3.0 §6.4.16 that are single numbers. */
const DATA_TYPES: ReadonlyMap<number, (metric: Metric) => number> = new Map([
  [1, (metric: Metric) => signed(metric, 8)],
  [2, (metric: Metric) => signed(metric, 16)],
  [3, (metric: Metric) => signed(metric, 32)],
  [4, (metric: Metric) => signed(metric, 64)],
  [5, (metric: Metric) => unsigned(metric, 8)],
  [6, (metric: Metric) => unsigned(metric, 16)],
  [7, (metric: Metric) => unsigned(metric, 32)],
  [8, (metric: Metric) => unsigned(metric, 64)],
  [9, fraction],
  [10, fraction],
  [11, switched],
]);
/** String to StringArray and DateTimeArray: text, times, tables, files, templates and arrays are known, and no readings. */
const LAST_DATA_TYPE = 34;

function valueOf(metric: Metric, datatype: number): number | undefined {
  const readValue = DATA_TYPES.get(datatype);
  if (readValue !== undefined) return readValue(metric);
  if (datatype === 0 || datatype > LAST_DATA_TYPE) throw new DecodeError('wrong_shape', 'a metric has no data type of Sparkplug 3.0');
  return undefined;
}

/** The specification puts up to 32 bits into int_value and 64 into long_value; older encoders put a UInt32 into long_value, too. */
const wholeIn = (metric: Metric, bits: number): Wide | undefined => (bits === 64 ? metric.long_value : metric.int_value ?? metric.long_value);

function unsigned(metric: Metric, bits: number): number {
  const value = fromWide(wholeIn(metric, bits), 'unsigned');
  if (value >= 2 ** bits) throw new DecodeError('not_a_number', `a metric is no whole number of ${bits} bits`);
  return value;
}

/**
 * Two's complement in an unsigned field. The specification does not say of how many bits; both ways are in use: those of the
 * type (Int8 −1 is 0xff) and those of the field (0xffffffff). What is neither is refused.
 */
function signed(metric: Metric, bits: number): number {
  const value = fromWide(wholeIn(metric, bits), bits === 64 ? 'signed' : 'either');
  const half = 2 ** (bits - 1);
  if (value >= -half && value < half) return value;
  if (bits < 64 && value >= half && value < 2 * half) return value - 2 * half;
  if (bits < 64 && value >= 2 ** 32 - half && value < 2 ** 32) return value - 2 ** 32;
  throw new DecodeError('not_a_number', `a metric is no whole number of ${bits} bits`);
}

function fraction({ float_value, double_value }: Metric): number {
  const value = float_value ?? double_value;
  if (value === undefined || !Number.isFinite(value)) throw new DecodeError('not_a_number', 'a metric has no finite number');
  return value;
}

function switched({ boolean_value }: Metric): number {
  if (boolean_value === undefined) throw new DecodeError('not_a_number', 'a metric is neither true nor false');
  return boolean_value ? 1 : 0;
}

/** A whole number as a number. `either`: signed when it was written with 64 bits and its uppermost is set. */
function fromWide(value: Wide | undefined, sign: 'signed' | 'unsigned' | 'either'): number {
  if (value === undefined) throw new DecodeError('not_a_number', 'a metric has no whole number');
  const isNegative = typeof value !== 'number' && value.high < 0 && sign !== 'unsigned';
  const number = typeof value === 'number' ? value : (isNegative ? value.high : value.high >>> 0) * 2 ** 32 + (value.low >>> 0);
  if (!Number.isSafeInteger(number)) throw new DecodeError('not_a_number', 'a whole number is beyond ±(2^53 − 1)');
  return number;
}

/** An empty name is none: proto3 encoders write one where there is nothing. */
const nameIn = ({ name }: Metric): string | undefined => (name === '' ? undefined : name);

function aliasIn({ alias }: Metric): number | undefined {
  return alias === undefined ? undefined : fromWide(alias, 'unsigned');
}

function timeIn(timestamp: Wide | undefined): UnixMillis | undefined {
  if (timestamp === undefined) return undefined;
  const time = fromWide(timestamp, 'unsigned');
  if (time > LAST_TIME) throw new DecodeError('wrong_shape', 'a timestamp is no time');
  return UnixMillis(time);
}

function timeOfPayload({ timestamp }: Payload): { deviceTime?: UnixMillis } {
  const time = timeIn(timestamp);
  return time === undefined ? {} : { deviceTime: time };
}

/** An absent number is 0: proto3 encoders leave zeros out. Any other that this should be makes a gap. */
function seqOf({ seq }: Payload): number {
  const value = seq === undefined ? 0 : fromWide(seq, 'unsigned');
  if (value > 255) throw new DecodeError('wrong_shape', 'the sequence number of a message must be 0 to 255');
  return value;
}

function bdSeqOf({ metrics }: Payload): number | undefined {
  const metric = metrics.find(({ name }) => name === 'bdSeq');
  return metric === undefined ? undefined : fromWide(wholeIn(metric, 32), 'signed');
}

// Properties

/** GOOD, BAD and STALE (§6.4.9); a quality that is none of them is not GOOD. */
function qualityOf(metric: Metric): 'good' | 'bad' | 'stale' {
  const quality = propertyOf(metric, 'Quality')?.int_value;
  if (quality === undefined || quality === 192) return 'good';
  return quality === 500 ? 'stale' : 'bad';
}

/** Names of the property that gives the unit. The specification has none; the first is that of Ignition. */
const UNIT_PROPERTIES = ['engUnit', 'Engineering Unit'];

/** How people write units, as UCUM. A bare `C` is not among them: it is the coulomb. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ...'Cel [degF] K % /min mm[Hg] ms s kg g Pa hPa kPa [ppm] [ppb] lx W kW V mV ug/m3 mg/dL mmol/L dB 1'.split(' ')
    .map((unit) => [unit, unit] as const),
  ['°C', 'Cel'], ['degC', 'Cel'], ['Celsius', 'Cel'], ['°F', '[degF]'], ['degF', '[degF]'], ['Fahrenheit', '[degF]'],
  ['%RH', '%'], ['percent', '%'], ['bpm', '/min'], ['1/min', '/min'], ['beats/min', '/min'], ['breaths/min', '/min'],
  ['mmHg', 'mm[Hg]'], ['mbar', 'hPa'], ['ppm', '[ppm]'], ['ppb', '[ppb]'], ['lux', 'lx'],
  ['µg/m³', 'ug/m3'], ['µg/m3', 'ug/m3'], ['ug/m³', 'ug/m3'],
]);

function unitIn(metric: Metric): string | undefined {
  for (const name of UNIT_PROPERTIES) {
    const unit = UNITS.get(propertyOf(metric, name)?.string_value ?? '');
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** Keys and values are two arrays of the same length (§6.4.8); when they are not, nobody knows which belong together. */
function propertyOf({ properties }: Metric, key: string): Property | undefined {
  if (properties?.keys.length !== properties?.values.length) return undefined;
  const property = properties?.values[properties.keys.indexOf(key)];
  return property?.is_null === true ? undefined : property;
}

// Commands

/**
 * Where an edge node listens for commands (§5.17), as its messages came: `topic` is that of one of them with whatever stands
 * before `<group>`, `address` what it was decoded to, `<group>/<edge node>[/<device>]`. Undefined when they do not fit.
 */
export function commandTopic(topic: string, address: string): string | undefined {
  const [levels, names] = [topic.split('/'), address.split('/')];
  const [group, edge, device] = names;
  // Beside the names stands the message type.
  const before = levels.slice(0, -(names.length + 1));
  const tail = levels.slice(before.length);
  const fits = isGiven(group) && isGiven(edge) && tail[0] === group && tail[2] === edge && tail[3] === device && tail.length === names.length + 1;
  return fits ? [...before, group, 'NCMD', edge].join('/') : undefined;
}

/**
 * The payload of the NCMD that makes an edge node say its births again (§5.17, §6.4.23): published to its
 * {@link commandTopic} with quality of service 0, not retained. `now`: the wall clock, Unix milliseconds.
 */
export function rebirthRequest(now: UnixMillis): Uint8Array {
  const metric = { name: 'Node Control/Rebirth', timestamp: now, datatype: 11, boolean_value: true };
  return encodePayload({ timestamp: now, metrics: [metric] });
}
