/**
 * The configuration file, described once: what may stand in it, what it means, what holds when it is left out. The types
 * of the program, the messages about mistakes and the JSON Schema for editors all come from here.
 */

import { z } from 'zod';
import type { ThresholdRule } from '../context/rules.ts';
import { Bytes, KiB, Millis, MiB, Minutes, Seconds } from '../quantity.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { address, count, duration, line, name, number, publicKey, size, webAddress, word } from './fields.ts';
import { checkHospitals, checkPublicKeys, checkRelay, checkRule, checkRuleIds, defaultQuorum } from './relations.ts';

/** A relation between settings is judged even while one of them is wrong, so that a file's problems are all told at once. */
const ALWAYS = { when: () => true };

const MOST_HOSPITALS = 1000;
const MOST_RULES = 1000;

type Leaf = z.ZodType<unknown, string | number>;

/** A setting that has a default: what it is, what holds when it is left out, and what it means with its unit. */
function setting<Kind extends Leaf>(kind: Kind, fallback: z.input<Kind>, meaning: string): z.ZodPrefault<Kind> {
  return z.prefault(kind, fallback).describe(`${meaning} Default ${fallback}.`);
}

const folder = (): z.ZodType<string, string> => line('a folder, absolute or relative to the working directory,', 4096);
const logLevel = word('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent');

const logSection = z
  .strictObject({
    level: setting(logLevel, 'info', 'Least severe log lines to write. Patient data is redacted at every level.'),
  })
  .prefault({})
  .describe('Log lines (JSON, standard error).');

const mqttSection = z
  .strictObject({
    listen: setting(address(), '127.0.0.1:1883', 'Where devices connect (MQTT 3.1.1 over TCP), host:port; port 0 takes a free one.'),
    maxPayload: setting(size(Bytes(64), MiB(16)), '64KiB', 'Largest payload of one PUBLISH, a size; a larger one closes the connection.'),
    maxConnections: setting(count('connections', 1, 100_000), 200, 'Devices connected at a time; further ones are closed at once.'),
    maxInFlight: setting(
      count('messages', 1, 65_535),
      100,
      'QoS 2 messages one device may have between PUBREC and PUBREL; one more closes its connection.',
    ),
    maxTopicLevels: setting(count('levels', 2, 128), 8, 'Levels of a topic, separated by "/"; a deeper one closes the connection.'),
    keepAliveLimit: setting(
      duration(Seconds(1), Seconds(65_535)),
      '30min',
      'Longest keep-alive a device may ask for, a duration; a longer one, or none, is refused on connecting.',
    ),
    connectTimeout: setting(duration(Millis(100), Minutes(5)), '10s', 'How long a connection may be silent before CONNECT, a duration.'),
  })
  .prefault({})
  .describe('The MQTT broker for devices.');

const webSection = z
  .strictObject({
    listen: setting(address(), '127.0.0.1:8080', 'Where pages, API, /metrics and /healthz are served, host:port; port 0 takes a free one.'),
  })
  .prefault({})
  .describe('The web server.');

const sealSection = z
  .strictObject({
    age: setting(duration(Millis(10), Minutes(60)), '5s', 'Seal a block when its oldest entry is this old, a duration.'),
    bytes: setting(size(KiB(1), MiB(4)), '64KiB', 'Seal a block when its entries reach this size in bytes.'),
    entries: setting(count('entries', 1, 100_000), 1000, 'Seal a block when it holds this many entries.'),
  })
  .prefault({})
  .describe('When a block of the record lane is complete: whichever comes first. The alarm lane is sealed at once.');

const chainSection = z
  .strictObject({
    work: setting(count('bits', 0, 32), 0, 'Proof of work: leading zero bits of every block hash, checked by every verifier; 0 is none.'),
    quorum: count('hospitals', 1, MOST_HOSPITALS)
      .optional()
      .describe('Hospitals that must countersign before a reading is receipted. Default: the majority of those listed.'),
  })
  .prefault({})
  .describe('Parameters the chain is born with; a chain that exists keeps its own.');

const hospital = z
  .strictObject({
    name: name('a hospital name').describe('Name for logs and metrics; unique in this file.'),
    url: webAddress().describe('Where its node listens, an http or https address.'),
    key: publicKey().describe('Its public key, printed when its node starts: compressed secp256k1, 66 hexadecimal characters.'),
  })
  .describe('A hospital node that verifies and countersigns the blocks.');

const limit = (meaning: string): z.ZodOptional<z.ZodType<number, number>> =>
  number('a value in the unit of the measurement').optional().describe(`${meaning}, in the measurement's own unit.`);

const rule = z
  .strictObject({
    id: name('a rule id').describe('Name of the rule in events; unique in this file.'),
    measurement: name('the name of a measurement').describe('What is compared, for example spo2, heart_rate, body_temperature, co2.'),
    above: limit('Raised above this value (give exactly one of above and below)'),
    below: limit('Raised below this value (give exactly one of above and below)'),
    clearAt: limit('Cleared at or inside this value (hysteresis); default: the limit itself'),
    priority: word('high', 'medium', 'low').describe('Priority of the alarm condition (IEC 60601-1-8): high, medium or low.'),
    wording: line('a text for people', 200).describe('What is wrong, in words for people.'),
    source: setting(line('the source of the limit', 1000), 'Set in the configuration file', 'Where the limit comes from.'),
  })
  .superRefine(checkRule, ALWAYS)
  .transform((given): ThresholdRule => ({ ...given, clearAt: given.clearAt ?? given.above ?? given.below ?? NaN }))
  .describe('A threshold on one measurement.');

const relaySection = z
  .strictObject({
    retryBase: setting(duration(Millis(10), Minutes(60)), '1s', 'Longest wait before the first retry, a duration; doubled by failures.'),
    retryCap: setting(duration(Millis(10), Minutes(24 * 60)), '60s', 'Longest wait between retries, a duration.'),
    timeout: setting(duration(Millis(100), Minutes(10)), '10s', 'How long a hospital may take for an answer, a duration.'),
  })
  .superRefine(checkRelay, ALWAYS)
  .prefault({})
  .describe('How blocks are sent to hospitals.');

const hospitals = z
  .array(hospital, { error: 'expected a list of hospitals' })
  .max(MOST_HOSPITALS, { error: `expected at most ${MOST_HOSPITALS} hospitals` })
  .prefault([])
  .describe('Hospital nodes the blocks go to. Default: none; blocks are kept and wait.');

const rules = z
  .array(rule, { error: 'expected a list of rules' })
  .max(MOST_RULES, { error: `expected at most ${MOST_RULES} rules` })
  .prefault(DEFAULT_RULES.map((each) => ({ ...each })))
  .superRefine(checkRuleIds, ALWAYS)
  .describe('Thresholds that raise events. A list given here replaces the default list as a whole.');

const gatewaySection = z
  .strictObject({
    data: setting(folder(), './data/gateway', 'Folder for journal, chain and keys; created with mode 0700.'),
    mqtt: mqttSection,
    web: webSection,
    seal: sealSection,
    chain: chainSection,
    hospitals,
    rules,
    relay: relaySection,
    log: logSection,
  })
  .superRefine(checkHospitals, ALWAYS)
  .transform((given) => ({ ...given, chain: { ...given.chain, quorum: given.chain.quorum ?? defaultQuorum(given.hospitals.length) } }))
  .describe('The gateway at the edge ("vitalgate gateway").');

const upstreamSection = z
  .strictObject({
    name: setting(name('a node name'), 'hospital', 'Name of this node in logs and on its pages.'),
    data: setting(folder(), './data/hospital', 'Folder for received chains, evidence and the key; created with mode 0700.'),
    listen: setting(address(), '127.0.0.1:9090', 'Where gateways send their blocks, host:port; port 0 takes a free one.'),
    gateways: z
      .union([z.literal('open'), z.array(publicKey())], { error: 'expected a list of gateway public keys, or the word open' })
      .superRefine(checkPublicKeys, ALWAYS)
      .describe('Public keys of the gateways whose chains are accepted; or the word open: accept any new chain (demonstrations only).'),
    maxBlock: setting(size(KiB(64), MiB(64)), '4MiB', 'Largest block accepted, a size in bytes.'),
    log: logSection,
  })
  .describe('A hospital node ("vitalgate upstream").');

const configSchema = z
  .strictObject({ gateway: gatewaySection.optional(), upstream: upstreamSection.optional() })
  .describe('Configuration of Vitalgate. Durations and sizes carry their unit, for example "30s" and "64KiB".');

type Settled<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Settled<Item>[]
    : { readonly [Key in keyof T]: Settled<T[Key]> };

/** What the file said, with every default filled in. A section the file does not have is absent. */
export type Config = Settled<z.output<typeof configSchema>>;
export type GatewayConfig = Settled<z.output<typeof gatewaySection>>;
export type UpstreamConfig = Settled<z.output<typeof upstreamSection>>;

/** What zod found wrong, untranslated; see problems.ts. */
export type SchemaIssue = z.core.$ZodIssue;
export type Verdict = Readonly<{ config: Config } | { issues: readonly SchemaIssue[] }>;

/** Judges a parsed file. Every issue carries the `input` it is about. */
export function judge(content: unknown): Verdict {
  const result = configSchema.safeParse(content, { reportInput: true });
  return result.success ? { config: result.data } : { issues: result.error.issues };
}

/** The configuration file as JSON Schema (draft 2020-12), for editors and other programs. */
export function jsonSchema(): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
}
