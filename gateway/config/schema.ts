/**
 * The configuration file, described once: what may stand in it, what it means, what holds when it is left out. The types
 * of the program, the messages about mistakes and the JSON Schema for editors all come from here.
 */

import { z } from 'zod';
import type { Mapping, Profile } from '../decode/profile.ts';
import { Bytes, KiB, Millis, MiB, Minutes, Seconds } from '../quantity.ts';
import { ZONE_OF_GATEWAY, alarmSection } from './alarm-section.ts';
import { address, addressOrNone, brokerAddress, count, deviceId, duration, hostOrAddress, line, name, number, publicKey, purpose, serialPath, size, timeZone, topicFilter, usbNumber, webAddress, word } from './fields.ts';
import { hl7Section } from './hl7-section.ts';
import { fhirSection } from './fhir-section.ts';
import { flowsSection } from './flows-section.ts';
import { linksSection } from './links-section.ts';
import { noticesSection } from './notices-section.ts';
import { peersSection } from './peers-section.ts';
import { gatewayNamesSection, staffSection } from './staff-section.ts';
import { checkBridges, checkHospitals, checkMqtt, checkNames, checkPacks, checkPatients, checkProfiles, checkPublicKeys, checkRelay, checkSerialLine, checkSerialLines, defaultQuorum } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';
import { durabilitySetting, storeSetting } from './store-section.ts';

const MOST_HOSPITALS = 1000;
const MOST_PACKS = 64;
const MOST_PATIENTS = 10_000;
const MOST_SERIAL_LINES = 64;
const MOST_BRIDGES = 16;
const MOST_PROFILES = 1000;
const MOST_DEVICES_OF_A_PROFILE = 1000;

const folderOrFile = (what: string): z.ZodType<string, string> => line(`${what}, absolute or relative to the working directory,`, 4096);
const folder = (): z.ZodType<string, string> => folderOrFile('a folder');
const logLevel = word('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent');

const logSection = z
  .strictObject({
    level: setting(logLevel, 'info', 'Least severe log lines to write. Patient data is redacted at every level.'),
  })
  .prefault({})
  .describe('Log lines (JSON, standard error).');

const mqttTls = z
  .strictObject({
    listen: addressOrNone().describe('Where devices connect over TLS (1.2 or 1.3), host:port, usually port 8883; or none, when only WebSocket uses TLS.'),
    names: z
      .array(hostOrAddress(), { error: 'expected a list of host names and IP addresses' })
      .min(1, { error: 'expected at least one host name or IP address' })
      .max(100, { error: 'expected at most 100 host names and IP addresses' })
      .superRefine(checkNames, ALWAYS)
      .optional()
      .describe(
        'What devices call this machine; the server certificate is for these names. The first is told to devices. ' +
          'Default: its host name, that with .local, localhost, and its addresses.',
      ),
    requireCertificate: z.boolean({ error: 'expected true or false' }).prefault(false).describe('Whether nobody gets in over TLS by a password. Default false.'),
  })
  .optional()
  .describe('MQTT over TLS. The gateway makes its own certificate authority (ca.crt in the data folder). Default: none.');

const mqttWebSocket = z
  .strictObject({
    listen: address().describe('Where browsers and others connect, host:port; the path is /mqtt.'),
    tls: z.boolean({ error: 'expected true or false' }).prefault(false).describe('Whether it is wss, with the certificate of the section tls. Default false.'),
  })
  .optional()
  .describe('MQTT over WebSocket, subprotocol mqtt. Default: none.');

const mqttSection = z
  .strictObject({
    listen: setting(addressOrNone(), '127.0.0.1:1883', 'Where devices connect (MQTT 3.1.1 over TCP), host:port or none; port 0 takes a free one.'),
    tls: mqttTls,
    webSocket: mqttWebSocket,
    maxPayload: setting(size(Bytes(64), MiB(16)), '64KiB', 'Largest payload of one PUBLISH, a size; a larger one closes the connection.'),
    maxConnections: setting(count('connections', 1, 100_000), 200, 'Connections at a time, over all listeners; further ones are closed at once.'),
    maxInFlight: setting(
      count('messages', 1, 65_535),
      100,
      'QoS 2 messages one device may have between PUBREC and PUBREL; one more closes its connection.',
    ),
    maxRate: setting(
      count('messages', 1, 1_000_000),
      500,
      'Messages a second of one device, on average over a few seconds; a faster one is read more slowly and loses nothing.',
    ),
    maxRateBytes: setting(size(KiB(1), MiB(1024)), '1MiB', 'The same in bytes a second, a size; no less than maxPayload.'),
    maxTopicLevels: setting(count('levels', 2, 128), 8, 'Levels of a topic, separated by "/"; a deeper one closes the connection.'),
    keepAliveLimit: setting(
      duration(Seconds(1), Seconds(65_535)),
      '30min',
      'Longest keep-alive a device may ask for, a duration; a longer one, or none, is refused on connecting.',
    ),
    connectTimeout: setting(duration(Millis(100), Minutes(5)), '10s', 'How long a connection may take for TLS or WebSocket, and then for CONNECT, a duration.'),
  })
  .superRefine(checkMqtt, ALWAYS)
  .prefault({})
  .describe('The MQTT broker for devices.');

const webSection = z
  .strictObject({
    listen: setting(address(), '127.0.0.1:8080', 'Where pages, API, /metrics and /healthz are served, host:port; port 0 takes a free one.'),
    plainHttp: z
      .boolean({ error: 'expected true or false' })
      .prefault(false)
      .describe('Whether the API serves tokens and data of people to other machines without TLS, readable for others in the network. Default false: to this machine alone, where a proxy may speak TLS for it.'),
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
    url: webAddress().describe('Where its node listens, an https address; http only on the same machine.'),
    caFile: folderOrFile('the path of a file').optional().describe('Certificate authority (PEM) of a node whose certificate is an ordinary one. Default: those of this machine.'),
    key: publicKey().describe('Its public key, printed when its node starts: compressed secp256k1, 66 hexadecimal characters.'),
    payloads: word('none', 'events', 'summary', 'full').prefault('none').describe('What it gets of the payloads beside the blocks, of everybody unless a patient has said otherwise: none, events (alarms), summary (and what was measured by the minute), full (and waveforms). Default none.'),
    purpose: purpose().prefault('TREAT').describe('What for it gets them, an HL7 ActReason code: patients permit or deny by purpose. Default TREAT, treatment; a research institute has HRESCH or, for one study, HRESCH/name-of-study.'),
    joining: z.boolean({ error: 'expected true or false' }).prefault(false).describe('Whether it is to join a chain that goes on: it gets all blocks, and its receipts count as soon as the chain says so. Default false.'),
  })
  .describe('A hospital node that verifies and countersigns the blocks.');

const channel = z
  .union(
    [
      name('the name of a measurement'),
      z.strictObject({
        measurement: name('the name of a measurement').describe('What the channel measures, for example room_temperature.'),
        unit: line('a unit', 32).optional().describe('What the source counts in (UCUM) when it does not say so itself. Default: the unit of the measurement.'),
        scale: number('a factor').optional().describe('The value is multiplied by this first. Default 1.'),
        offset: number('a value to add').optional().describe('This is added after that. Default 0.'),
      }),
    ],
    { error: 'expected the name of a measurement, "ignore", or a mapping of measurement, unit, scale and offset' },
  )
  .transform((given): Mapping | 'ignore' => (given === 'ignore' ? given : typeof given === 'string' ? { measurement: given } : withoutAbsent(given)));

const channels = z
  .record(line('the name of a channel', 128), channel, { error: 'expected channels, each with what it measures' })
  .optional()
  .describe('What the channels of the source measure, beside or instead of what its family says; "ignore" for none.');

const expectation = z
  .strictObject({
    every: duration(Millis(100), Minutes(31 * 24 * 60)).optional().describe('How often a value comes at least while the device is in use, a duration; after three times as long without one it is said that it is missing. Default: learned.'),
    between: z
      .tuple([number('the lowest value'), number('the highest value')], { error: 'expected [lowest, highest]' })
      .refine(([lowest, highest]) => lowest < highest, { error: 'expected [lowest, highest], the lowest first' })
      .optional()
      .describe('The values this device can truthfully report, in the unit of the measurement; others go to quarantine. Default: what anybody can.'),
  })
  .transform((given) => withoutAbsent(given));

const expect = z
  .record(name('the name of a measurement'), expectation, { error: 'expected measurements, each with what is expected of it' })
  .optional()
  .describe('What is expected of its measurements.');

const deviceClass = word('clinical', 'wellness', 'room')
  .optional()
  .describe('clinical (measurement-grade), wellness (a consumer wearable) or room. Default: not said.');

const profile = z
  .strictObject({
    name: name('a profile name').describe('Name of the profile in messages; unique in this file.'),
    decoder: name('the name of a device family').describe('The device family, for example zigbee2mqtt, tasmota, gatt, senml-json.'),
    topic: topicFilter().describe('MQTT topic filter of its messages, for example "devices/zigbee/#"; the first profile that matches counts.'),
    timeZone: timeZone().optional().describe('Time zone of devices that report local time, for example Europe/Berlin. Default: such times are not used.'),
    channels,
    devices: z
      .array(
        z.strictObject({
          address: line('an address', 256).describe('What the source calls the device: its friendly name, its hardware address.'),
          device: deviceId().describe('What we call it: the id that is bound to a patient or a room.'),
          channels,
          expect,
          class: deviceClass,
        }),
        { error: 'expected a list of devices' },
      )
      .max(MOST_DEVICES_OF_A_PROFILE, { error: `expected at most ${MOST_DEVICES_OF_A_PROFILE} devices` })
      .optional()
      .describe('The devices behind the connection that are ours. Others are kept apart and counted.'),
    expect,
    class: deviceClass,
  })
  .transform((given): Profile => withoutAbsent(given) as Profile)
  .describe('How the messages of some devices are read.');

const profiles = z
  .array(profile, { error: 'expected a list of profiles' })
  .max(MOST_PROFILES, { error: `expected at most ${MOST_PROFILES} profiles` })
  .prefault([])
  .superRefine(checkProfiles, ALWAYS)
  .describe('How messages are read, beside the built-in profiles. May be changed while the gateway runs ("vitalgate reload").');

/** The frame that carries them is JSON, and what is not there must not be there as undefined. */
function withoutAbsent<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

const serialLine = z
  .strictObject({
    device: deviceId().describe('The device that speaks on the line; bind it to a patient or a room.'),
    path: serialPath({ orUsb: true }).optional().describe('The port by a path that stays the same, such as /dev/serial/by-id/… (give exactly one of path and usb).'),
    usb: z
      .strictObject({
        vendor: usbNumber().describe('Vendor id, four hexadecimal digits as lsusb prints them.'),
        product: usbNumber().describe('Product id, four hexadecimal digits.'),
        serial: line('a serial number', 128).optional().describe('Serial number, needed when several of the same are plugged in.'),
      })
      .optional()
      .describe('The port by its USB device.'),
    decoder: name('the name of a device family').describe('What is spoken: contec-9, nonin-2, csv-line, native-json, gatt-line, …'),
    framing: word('line', 'cobs').optional().describe('How messages are told apart; binary formats have their own. Default: line.'),
    baudRate: count('bit/s', 50, 4_000_000).optional().describe('Speed in bit/s. Default: that of the format, else 115200.'),
  })
  .superRefine(checkSerialLine, ALWAYS)
  .describe('A device on a serial port. It is opened when it is plugged in, and again after it was unplugged.');

const serial = z
  .array(serialLine, { error: 'expected a list of serial lines' })
  .max(MOST_SERIAL_LINES, { error: `expected at most ${MOST_SERIAL_LINES} serial lines` })
  .prefault([])
  .superRefine(checkSerialLines, ALWAYS)
  .describe('Devices on serial ports. Default: none.');

const bridge = z
  .strictObject({
    name: deviceId().describe('Name of the connection; its messages are read as devices/<name>/<topic there>.'),
    url: brokerAddress().describe('The other broker, for example mqtt://127.0.0.1:1883 or mqtts://broker.example:8883.'),
    topics: z
      .array(topicFilter(), { error: 'expected a list of topic filters' })
      .min(1, { error: 'expected at least one topic filter' })
      .max(100, { error: 'expected at most 100 topic filters' })
      .describe('What to subscribe to there, for example "zigbee2mqtt/#".'),
    version: word('5', '3.1.1').prefault('5').describe('MQTT version, in quotes. Default 5.'),
    username: line('a user name', 256).optional().describe('User name at the other broker. Default: none.'),
    passwordFile: folderOrFile('the path of a file').optional().describe('File whose first line is the password.'),
    caFile: folderOrFile('the path of a file').optional().describe('Certificate authority of the broker (PEM), for mqtts. Default: the public ones.'),
  })
  .describe('A subscription to another broker, with a session that broker keeps while the gateway is away.');

const bridges = z
  .array(bridge, { error: 'expected a list of bridges' })
  .max(MOST_BRIDGES, { error: `expected at most ${MOST_BRIDGES} bridges` })
  .prefault([])
  .superRefine(checkBridges, ALWAYS)
  .describe('Other brokers whose messages are taken in. Default: none.');

const relaySection = z
  .strictObject({
    retryBase: setting(duration(Millis(10), Minutes(60)), '1s', 'Longest wait before the first retry, a duration; doubled by failures.'),
    retryCap: setting(duration(Millis(10), Minutes(24 * 60)), '60s', 'Longest wait between retries, a duration.'),
    timeout: setting(duration(Millis(100), Minutes(10)), '10s', 'How long a hospital may take for an answer, a duration.'),
  })
  .superRefine(checkRelay, ALWAYS)
  .prefault({})
  .describe('How blocks are sent to hospitals.');

const storageSection = z
  .strictObject({
    limit: size(MiB(64), Bytes(1e13)).optional().describe('Most that the data folder may take, a size. Default: nine tenths of what it has and could have.'),
    keep: z
      .strictObject({
        frames: duration(Minutes(60), Minutes(60 * 24 * 3650)).optional().describe('How long raw messages are kept once hospitals have countersigned what they meant, a duration. Default: as long as there is room.'),
        blocks: duration(Minutes(60), Minutes(60 * 24 * 3650)).optional().describe('How long blocks of the record lane with nothing but measurements are kept once every hospital has them and what lies beside them, a duration. What they hold can be proven from the hospitals\' copies then; a hospital that joins later has to have them from there. Default: for ever.'),
        payloads: duration(Minutes(60), Minutes(60 * 24 * 3650)).optional().describe('The same for the contents of summaries once hospitals have them where they may, a duration. Default: as long as there is room.'),
      })
      .prefault({})
      .describe('What goes by age. When there is no room, summaries that hospitals have go first, then raw messages whose meaning is sealed, then other summaries; alarms never.'),
  })
  .prefault({})
  .describe('What the gateway may take of the disk.');

const keysSection = z
  .strictObject({
    epoch: setting(duration(Minutes(24 * 60), Minutes(3660 * 24 * 60)), '30d', 'How long what is said of somebody lies under the same key, a duration: the smallest part of the past that can be given or erased by itself.'),
  })
  .prefault({})
  .describe('Keys under which everything personal lies on the disk.');

const hospitals = z
  .array(hospital, { error: 'expected a list of hospitals' })
  .max(MOST_HOSPITALS, { error: `expected at most ${MOST_HOSPITALS} hospitals` })
  .prefault([])
  .describe('Hospital nodes the blocks go to. Default: none; blocks are kept and wait.');

const packs = z
  .array(line('the name of a ready pack or the path of a YAML file', 4096), { error: 'expected a list of rule packs' })
  .max(MOST_PACKS, { error: `expected at most ${MOST_PACKS} rule packs` })
  .superRefine(checkPacks, ALWAYS)
  .optional()
  .describe(
    'Rule packs in force: names of ready ones (starter, home-elderly, …) and paths of YAML files, absolute or relative to the working directory. Then they can be ' +
      'changed here only. Default: starter, until another is activated ("vitalgate contract activate").',
  );

const patient = z
  .strictObject({
    id: line('a patient id', 64).describe('The patient, as devices are bound to them.'),
    rooms: z
      .array(
        z.strictObject({
          room: line('a room id', 64).describe('The room, as its sensors are bound to it.'),
          kind: word('bedroom', 'bathroom', 'kitchen', 'living_room', 'hall', 'other').describe('What it is there for.'),
        }),
        { error: 'expected a list of rooms' },
      )
      .max(64, { error: 'expected at most 64 rooms' })
      .prefault([])
      .describe('The rooms the patient lives in. Default: not known.'),
    alone: z.boolean({ error: 'expected true or false' }).prefault(false).describe('Whether nobody else lives there: then what moves in these rooms is the patient. Default false.'),
    packs: z
      .array(name('the name of a pack'), { error: 'expected a list of pack names' })
      .max(MOST_PACKS, { error: `expected at most ${MOST_PACKS} packs` })
      .optional()
      .describe('The packs that are for this patient. Default: all that are in force.'),
  })
  .transform((given) => withoutAbsent(given))
  .describe('What is known of a patient.');

const patients = z
  .array(patient, { error: 'expected a list of patients' })
  .max(MOST_PATIENTS, { error: `expected at most ${MOST_PATIENTS} patients` })
  .prefault([])
  .superRefine(checkPatients, ALWAYS)
  .describe('Homes and packs of patients. Who is not listed has none, and all packs.');

const gatewaySection = z
  .strictObject({
    data: setting(folder(), './data/gateway', 'Folder for journal, chain and keys; created with mode 0700.'),
    mqtt: mqttSection,
    serial,
    bridges,
    web: webSection,
    seal: sealSection,
    chain: chainSection,
    hospitals,
    packs,
    patients,
    timeZone: timeZone().optional().describe('Where the gateway stands, for example Europe/Berlin: habits and quiet hours go by it. Default: the time zone of this machine.'),
    alarms: alarmSection,
    flows: flowsSection,
    notices: noticesSection,
    profiles,
    relay: relaySection,
    links: linksSection,
    keys: keysSection,
    storage: storageSection,
    log: logSection,
  })
  .superRefine(checkHospitals, ALWAYS)
  .transform((given) => {
    const timeZoneHere = given.timeZone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { quiet } = given.alarms;
    return {
      ...given,
      timeZone: timeZoneHere,
      alarms: { ...given.alarms, quiet: { ...quiet, timeZone: quiet.timeZone === ZONE_OF_GATEWAY ? timeZoneHere : quiet.timeZone } },
      chain: { ...given.chain, quorum: given.chain.quorum ?? defaultQuorum(given.hospitals.filter(({ joining }) => !joining).length) },
    };
  })
  .describe('The gateway at the edge ("vitalgate gateway").');

const upstreamSection = z
  .strictObject({
    name: setting(name('a node name'), 'hospital', 'Name of this node in logs and on its pages.'),
    data: setting(folder(), './data/hospital', 'Folder for received chains, evidence and the key; created with mode 0700.'),
    listen: setting(address(), '127.0.0.1:9090', 'Where gateways send their blocks, host:port; port 0 takes a free one.'),
    gateways: z
      .union([z.literal('open'), z.array(publicKey()), z.strictObject({ file: folderOrFile('the path of a file').describe('Path of the list.') })], { error: 'expected a list of gateway public keys, a mapping with a file, or the word open' })
      .superRefine(checkPublicKeys, ALWAYS)
      .describe(
        'Public keys of the gateways whose chains are accepted. A file: a list of many, read again whenever it changes; on each line a public key or its fingerprint and, if the gateway ' +
          'may have that one chain only, the chain\'s id; "#" begins a remark. Or the word open: accept any new chain (demonstrations only).',
      ),
    tls: z
      .union([
        z.literal('own'),
        z.literal('none'),
        z.strictObject({
          certificateFile: folderOrFile('the path of a file').describe('Certificate of this node and those it hangs on, PEM.'),
          keyFile: folderOrFile('the path of a file').describe('Its private key, PEM.'),
        }),
      ], { error: 'expected own, none, or a mapping of certificateFile and keyFile' })
      .prefault('own')
      .describe('own: TLS with a certificate that is bound to the key of this node, by which gateways know it. A mapping: with an ordinary certificate for its name. none: plain HTTP, for tests and behind a proxy on the same machine. Default own.'),
    hl7: hl7Section,
    maxBlock: setting(size(KiB(64), MiB(64)), '4MiB', 'Largest block accepted, a size in bytes.'),
    limits: z
      .strictObject({
        memory: setting(size(MiB(4), MiB(16384)), '64MiB', 'Bodies of requests that are received or judged at a time, together; a size in bytes. What does not fit is told to come again (503).'),
        requests: setting(count('requests', 1, 100_000), 1024, 'Requests that are received or judged at a time. A quarter of both is for alarms alone.'),
        perGateway: setting(count('requests', 1, 64), 4, 'Requests of one gateway at a time (429).'),
      })
      .prefault({})
      .describe('How much the node takes on at a time.'),
    people: staffSection,
    fhir: fhirSection,
    store: storeSetting,
    durability: durabilitySetting,
    gatewayNames: gatewayNamesSection,
    peers: peersSection,
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

export type Verdict = Readonly<{ config: Config } | { issues: readonly z.core.$ZodIssue[] }>;

/** Judges a parsed file. Every issue carries the `input` it is about. */
export function judge(content: unknown): Verdict {
  const result = configSchema.safeParse(content, { reportInput: true });
  return result.success ? { config: result.data } : { issues: result.error.issues };
}

/** The configuration file as JSON Schema (draft 2020-12), for editors and other programs. */
export function jsonSchema(): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
}
