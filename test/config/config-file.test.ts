import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultGatewayConfig, loadConfig, parseConfig } from '../../gateway/config/load.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { ConfigError, messageOf } from '../../gateway/errors.ts';

const KNOWN = { measurements: MEASUREMENTS, families: ['native-json'], convertible: (from: string, to: string) => from === to };

const KEYS = [
  '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  '02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5',
  '02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9',
];
const hospital = (name: string, key = KEYS[0], url = 'http://h'): string => `    - { name: ${name}, url: '${url}', key: ${key} }\n`;
const hospitals = (count: number): string =>
  `  hospitals:\n${KEYS.slice(0, count).map((key, index) => hospital(`h${index}`, key)).join('')}`;

/** The lines of the error that the text is refused with, without the headline. */
function problems(text: string): string[] {
  try {
    parseConfig(text, 'c.yaml', { known: KNOWN });
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return messageOf(thrown).split('\n').slice(1).map((each) => each.trim());
  }
  return [];
}

const folder = mkdtempSync(join(tmpdir(), 'vitalgate-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a file that is fine', () => {
  it('fills in every default', () => {
    expect(defaultGatewayConfig).toMatchObject({
      data: './data/gateway',
      mqtt: {
        listen: { host: '127.0.0.1', port: 1883 }, maxPayload: 65_536, maxConnections: 200, maxInFlight: 100,
        maxTopicLevels: 8, maxRate: 500, maxRateBytes: 1_048_576, keepAliveLimit: 1_800_000, connectTimeout: 10_000,
      },
      web: { listen: { host: '127.0.0.1', port: 8080 } },
      seal: { age: 5000, bytes: 65_536, entries: 1000 },
      chain: { work: 0, quorum: 0 },
      hospitals: [],
      relay: { retryBase: 1000, retryCap: 60_000, timeout: 10_000 },
      log: { level: 'info' },
    });
  });

  it('has only the sections that were written', () => {
    expect(parseConfig('', 'c.yaml')).toEqual({});
    expect(parseConfig('# nothing yet\n', 'c.yaml')).toEqual({});
    expect(Object.keys(parseConfig('upstream: { gateways: open }', 'c.yaml'))).toEqual(['upstream']);
  });

  it('takes a key with nothing behind it as not given', () => {
    const text = 'gateway:\n  mqtt:\n    # listen: 0.0.0.0:1883\n  chain:\n    quorum:\n';
    expect(parseConfig(text, 'c.yaml').gateway).toEqual(defaultGatewayConfig);
  });

  it('describes a hospital node', () => {
    const text = `upstream:
  name: north
  listen: "[::1]:0"
  gateways: [${KEYS[0]?.toUpperCase()}]
  maxBlock: 1MiB
  log: { level: debug }
`;
    expect(parseConfig(text, 'c.yaml').upstream).toEqual({
      name: 'north', data: './data/hospital', listen: { host: '::1', port: 0 }, gateways: [KEYS[0]], hl7: [], peers: [], maxBlock: 1_048_576, limits: { memory: 67_108_864, requests: 1024, perGateway: 4 }, tls: 'own', people: [], fhir: { api: true, push: [] }, gatewayNames: [], store: 'rocksdb', durability: 'replicated',
      log: { level: 'debug' },
    });
  });

  it('takes the majority of the hospitals as the quorum unless told otherwise', () => {
    const quorum = (text: string): number | undefined => parseConfig(`gateway:\n${text}`, 'c.yaml').gateway?.chain.quorum;
    expect([1, 2, 3].map((count) => quorum(hospitals(count)))).toEqual([1, 2, 2]);
    expect(quorum(`  chain: { quorum: 3 }\n${hospitals(3)}`)).toBe(3);
  });

  it('keeps the address of a hospital without its closing slash', () => {
    const text = `gateway:\n  hospitals:\n${hospital('a', KEYS[0], 'HTTPS://H.example:9090/node//')}`;
    expect(parseConfig(text, 'c.yaml').gateway?.hospitals[0]?.url).toBe('https://h.example:9090/node');
  });
});

describe('packs and patients', () => {
  it('are told by name and by path, and are absent unless somebody said', () => {
    const text = 'gateway:\n  timeZone: Europe/Berlin\n  packs: [home-elderly, ./own.yaml]\n  patients:\n    - { id: anna, alone: true, rooms: [{ room: bath, kind: bathroom }] }\n    - { id: otto, packs: [own] }\n';
    expect(parseConfig(text, 'c.yaml').gateway).toMatchObject({
      timeZone: 'Europe/Berlin', packs: ['home-elderly', './own.yaml'],
      patients: [{ id: 'anna', alone: true, rooms: [{ room: 'bath', kind: 'bathroom' }] }, { id: 'otto', alone: false, rooms: [], packs: ['own'] }],
    });
    expect([defaultGatewayConfig.packs, defaultGatewayConfig.patients]).toEqual([undefined, []]);
  });

  it('are quiet by the time zone of the gateway unless theirs is another', () => {
    const zone = (text: string): string | undefined => parseConfig(`gateway: { timeZone: Asia/Tokyo, alarms: { quiet: { hours: [{ from: "22:00", until: "06:00" }] ${text} } } }`, 'c.yaml').gateway?.alarms.quiet.timeZone;
    expect([zone(''), zone(', timeZone: UTC')]).toEqual(['Asia/Tokyo', 'UTC']);
  });

  it('are refused when one is named twice, or a room is there for nothing that is known', () => {
    expect(problems('gateway: { packs: [a, b, a] }')[0]).toContain("gateway.packs[2]: pack 'a' is used twice");
    expect(problems('gateway: { patients: [{ id: anna }, { id: anna }] }')[0]).toContain("gateway.patients[1].id: patient 'anna' is used twice");
    expect(problems('gateway: { patients: [{ id: anna, rooms: [{ room: x, kind: bathrom }] }] }')[0]).toContain("expected one of bedroom, bathroom");
  });
});

describe('a key that is not known', () => {
  it('is refused with its line, its column and the nearest known key', () => {
    expect(problems('gateway:\n  data: x\n  hospitls: []\n')).toEqual(
      ["c.yaml:3:3: unknown key 'hospitls' at line 3; did you mean 'hospitals'?"],
    );
    expect(problems('gatway: {}')).toEqual(["c.yaml:1:1: unknown key 'gatway' at line 1; did you mean 'gateway'?"]);
    expect(problems('gateway: { mqtt: { maxpayload: 1KiB } }')).toEqual(
      ["c.yaml:1:20: unknown key 'maxpayload' at line 1; did you mean 'maxPayload'?"],
    );
  });

  it('is told the known keys when none is near', () => {
    expect(problems('gateway: { web: { password: x } }')).toEqual(
      ["c.yaml:1:19: unknown key 'password' at line 1; expected one of listen, plainHttp"],
    );
  });

  it('is found in lists and under names that mean something in JavaScript', () => {
    const inList = `gateway:\n  hospitals:\n    - { name: a, url: http://h, key: ${KEYS[0]}, wieght: 1 }\n`;
    expect(problems(inList)[0]).toContain("unknown key 'wieght' at line 3");
    expect(problems('__proto__: { gateway: {} }\nconstructor: 1')).toHaveLength(2);
  });

  it('is refused also with nothing behind it', () => {
    expect(problems('gateway:\n  hospitls:\n')).toHaveLength(1);
  });
});

describe('a value that is wrong', () => {
  const at = (setting: string): string => problems(`gateway: { ${setting} }`)[0] ?? '';

  it('is told with its place, what was expected and what was found', () => {
    expect(at('seal: { age: 5 }')).toBe(
      'c.yaml:1:25: gateway.seal.age: expected a duration from 10 ms to 1 h such as "30s" (units ms, s, min, h, d), got the number 5',
    );
  });

  it.each([
    ['seal: { age: 5 s x }', 'a duration'], ['seal: { age: 2h }', 'a duration'], ['seal: { age: -5s }', 'a duration'],
    ['seal: { bytes: 64 }', 'a size'], ['seal: { bytes: 5MiB }', 'a size'], ['seal: { bytes: 1.5KB }', 'a size'],
    ['mqtt: { maxConnections: 1.5 }', 'a whole number'], ['mqtt: { maxConnections: "9" }', 'a whole number'],
    ['mqtt: { maxInFlight: 70000 }', 'a whole number'],
    ['mqtt: { maxConnections: .nan }', 'a whole number'], ['mqtt: { maxConnections: .inf }', 'a whole number'],
    ['chain: { work: 33 }', 'a whole number of bits'], ['chain: { work: -1 }', 'a whole number of bits'],
    ['chain: { quorum: 0 }', 'a whole number of hospitals'],
    ['log: { level: loud }', 'one of trace, debug'], ['data: ""', 'a folder'], ['data: [x]', 'a folder'], ['data: "a\\u0000b"', 'a folder'],
    ['mqtt: 5', 'a mapping'], ['mqtt: []', 'a mapping'], ['packs: {}', 'a list of rule packs'], ['patients: anna', 'a list of patients'], ['hospitals: none', 'a list of hospitals'],
  ])('%s: expected %s', (setting, expected) => {
    expect(at(setting)).toContain(`: expected ${expected}`);
  });

  it.each([
    '1883', 'localhost', ':1883', '"localhost:"', '127.0.0.1:65536', '256.1.1.1:1', '1.2.3:80', '::1:1883', '"[::1]"', '"[1.2.3.4]:1"',
    'a b:1', '-x:1',
  ])('the address %s is refused', (address) => {
    expect(at(`web: { listen: ${address} }`)).toContain('expected host:port');
  });

  const badUrls = ['ftp://h', 'h:9090', 'http://', 'https://user:secret@h', 'https://h/?q=1', 'https://h/#x'];
  it.each(badUrls)('the hospital address %s is refused', (url) => {
    expect(problems(`gateway:\n  hospitals:\n${hospital('a', KEYS[0], url)}`)[0]).toContain('expected an http or https address');
  });

  it.each([
    ['too short', '0279be'], ['an uncompressed mark', `04${'1'.repeat(63)}a`], ['not hexadecimal', `02${'g'.repeat(64)}`],
    ['on no point of the curve', `02${'0'.repeat(63)}5`],
  ])('a key that is %s is refused', (_, key) => {
    expect(problems(`gateway:\n  hospitals:\n${hospital('a', `"${key}"`)}`)[0]).toContain('expected a compressed secp256k1 public key');
  });

  it('is told as missing where there is none', () => {
    expect(problems('upstream:\n  name: x\n')).toEqual(
      ['c.yaml:1:1: upstream.gateways: missing; expected a list of gateway public keys, a mapping with a file, or the word open'],
    );
    expect(problems('gateway:\n  hospitals:\n    - name: a\n').map((each) => each.split(';')[0])).toEqual(
      ['c.yaml:3:7: gateway.hospitals[0].url: missing', 'c.yaml:3:7: gateway.hospitals[0].key: missing'],
    );
  });
});

describe('the listeners of MQTT', () => {
  const mqtt = (text: string): unknown => parseConfig(`gateway: { mqtt: { ${text} } }`, 'c.yaml').gateway?.mqtt;

  it('are TCP, TLS and WebSocket, each where it is wanted', () => {
    expect(mqtt('listen: none, tls: { listen: "0.0.0.0:8883", names: [gateway.local, 192.0.2.7, "fd00::7"], requireCertificate: true }, webSocket: { listen: "[::]:8884", tls: true }')).toMatchObject({
      listen: 'none',
      tls: { listen: { host: '0.0.0.0', port: 8883 }, names: ['gateway.local', '192.0.2.7', 'fd00::7'], requireCertificate: true },
      webSocket: { listen: { host: '::', port: 8884 }, tls: true },
    });
    expect(mqtt('tls: { listen: none }, webSocket: { listen: "127.0.0.1:0" }')).toMatchObject({ tls: { listen: 'none', requireCertificate: false }, webSocket: { tls: false } });
  });

  it.each([
    ['listen: none', /gateway\.mqtt\.listen: expected an address, because nothing else listens/],
    ['listen: none, tls: { listen: none }', /gateway\.mqtt\.listen: expected an address, because nothing else listens/],
    ['listen: nowhere', /expected host:port .* or the word none, got "nowhere"/],
    ['webSocket: { listen: "127.0.0.1:1", tls: true }', /gateway\.mqtt\.webSocket\.tls: expected the section 'tls' too/],
    ['tls: { listen: "127.0.0.1:1", names: [] }', /expected at least one host name or IP address/],
    ['tls: { listen: "127.0.0.1:1", names: ["a b"] }', /expected a host name such as "gateway\.local" or an IP address, got "a b"/],
    ['tls: { listen: "127.0.0.1:1", names: [a, b, a] }', /name 'a' is used twice/],
    ['tls: { listen: "127.0.0.1:1", requireCertificate: yes }', /expected true or false, got "yes"/],
    ['tls: { names: [a] }', /gateway\.mqtt\.tls\.listen: missing/],
    ['maxPayload: 2MiB', /gateway\.mqtt\.maxRateBytes: expected a size not below 'maxPayload'/],
    ['maxRate: 0', /expected a whole number of messages from 1 to 1000000, got the number 0/],
  ])('with { %s } are refused', (text, message) => {
    const found = problems(`gateway: { mqtt: { ${text} } }`);
    expect(found).toEqual([expect.stringMatching(message)]);
  });
});

describe('settings that contradict each other', () => {
  it('a quorum is at most the number of hospitals', () => {
    expect(problems(`gateway:\n  chain: { quorum: 3 }\n${hospitals(2)}`)).toEqual(
      ['c.yaml:2:20: gateway.chain.quorum: expected a quorum of 1 to 2, the number of hospitals, got 3'],
    );
    expect(problems('gateway:\n  chain: { quorum: 1 }\n')[0]).toContain('expected no quorum while no hospital is listed');
  });

  it('hospitals have different names and different keys', () => {
    const both = (second: string): string[] => problems(`gateway:\n  hospitals:\n${hospital('a')}${second}`);
    expect(both(hospital('a', KEYS[1]))).toEqual(["c.yaml:4:15: gateway.hospitals[1].name: hospital name 'a' is used twice"]);
    expect(both(hospital('b', KEYS[0]?.toUpperCase()))[0]).toContain('gateway.hospitals[1].key: hospital key');
  });

  it('a hospital node lists every gateway once', () => {
    expect(problems(`upstream: { gateways: [${KEYS[0]}, ${KEYS[0]}] }`)[0]).toContain('is used twice');
    expect(problems('upstream: { gateways: [open] }')[0]).toContain('upstream.gateways[0]: expected a compressed secp256k1 public key');
  });

  it('a retry never waits longer than its cap', () => {
    const told = problems('gateway: { relay: { retryBase: 2min } }')[0];
    expect(told).toContain("gateway.relay.retryCap: expected a duration not shorter than 'retryBase'");
  });
});

describe('a file with many problems', () => {
  it('has them all told at once, in the order of the file', () => {
    const text = `gateway:
  hospitls: []
  mqtt: { listen: 1883, maxConnections: 0.5 }
  chain: { quorum: 9 }
  patients:
    - { id: "", rooms: [{ room: x, kind: bathrom }], alone: perhaps }
  relay: { retryBase: 10min, timeout: 5 }
upstream: {}
`;
    expect(problems(text).map((each) => each.split(' ')[0] ?? '')).toEqual([
      'c.yaml:2:3:', 'c.yaml:3:19:', 'c.yaml:3:41:', 'c.yaml:4:20:', 'c.yaml:6:13:', 'c.yaml:6:42:', 'c.yaml:6:61:',
      'c.yaml:7:3:', 'c.yaml:7:39:', 'c.yaml:8:1:',
    ]);
  });
});

describe('a file that is no YAML, or hostile YAML', () => {
  it.each([
    ['an open list', 'gateway: [', '1:'], ['a repeated key', 'gateway: {}\ngateway: {}', '2:1'], ['a tab', 'gateway:\n\tdata: x', '2:1'],
    ['two documents', 'gateway: {}\n---\nupstream: {}', '2:'], ['a tag', '!!js/function x', '1:1'], ['a list', '- gateway', '1:1'],
    ['a word', 'gateway', '1:1'],
    ['an alias', 'gateway: &a { data: x }\nupstream: *a', '2:11'], ['a circle', '&a [*a]', '1:5'],
  ])('%s is refused with its place', (_, text, place) => {
    expect(problems(text)[0]).toMatch(new RegExp(`^c\\.yaml:${place}`));
  });

  it('nesting without end is refused', () => {
    expect(() => parseConfig('['.repeat(50_000), 'c.yaml')).toThrow(ConfigError);
  });
});

describe('a file on disk', () => {
  it('is named in every message', () => {
    const path = join(folder, 'gateway.yaml');
    writeFileSync(path, 'gateway: { data: 7 }');
    expect(() => loadConfig(path)).toThrow(`${path}:1:18: gateway.data: expected a folder`);
    writeFileSync(path, '\uFEFFgateway:\r\n  data: ./here\r\n');
    expect(loadConfig(path).gateway?.data).toBe('./here');
  });

  it('that cannot be read is a ConfigError with its cause', () => {
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x64, 0xe9]));
    writeFileSync(join(folder, 'big.yaml'), Buffer.alloc(1_100_000, '#'));
    for (const path of ['missing.yaml', 'latin1.yaml', 'big.yaml']) {
      expect(() => loadConfig(join(folder, path))).toThrow(expect.objectContaining({ code: 'VG_CONFIG', cause: expect.any(Error) }));
    }
  });
});

describe('profiles', () => {
  const profile = (lines: string): string => `gateway:\n  profiles:\n    - name: zigbee\n      decoder: native-json\n      topic: devices/zigbee/#\n${lines}`;

  it('are taken in their short and their long form', () => {
    const text = profile(`      timeZone: europe/berlin
      channels: { temperature: room_temperature, linkquality: ignore, contact: { measurement: door, scale: -1, offset: 1 } }
      devices:
        - { address: "living room/door", device: hall-door }
`);
    expect(parseConfig(text, 'c.yaml', { known: KNOWN }).gateway?.profiles).toEqual([
      {
        name: 'zigbee', decoder: 'native-json', topic: 'devices/zigbee/#', timeZone: 'Europe/Berlin',
        channels: {
          temperature: { measurement: 'room_temperature' }, linkquality: 'ignore', contact: { measurement: 'door', scale: -1, offset: 1 },
        },
        devices: [{ address: 'living room/door', device: 'hall-door' }],
      },
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['a mistyped measurement', '      channels: { t: room_temprature }\n', /^c\.yaml:6:\d+: gateway\.profiles\[0\]\.channels\.t: unknown measurement 'room_temprature'; did you mean 'room_temperature'\?$/],
    ['a mistyped measurement in the long form', '      channels: { t: { measurement: co3 } }\n', /measurement: unknown measurement 'co3'; did you mean 'co2'\?$/],
    ['a unit nobody can convert', '      channels: { t: { measurement: co2, unit: lx } }\n', /unit: expected a unit \(UCUM\) that can be converted to '\[ppm\]', the unit of co2; got 'lx'$/],
    ['a mistyped measurement of one device', '      devices: [{ address: x, device: d, channels: { t: spo3 } }]\n', /devices\[0\]\.channels\.t: unknown measurement 'spo3'/],
    ['a device id with a blank', '      devices: [{ address: x, device: a b }]\n', /devices\[0\]\.device: expected a device id/],
    ['an address that is used twice', '      devices: [{ address: x, device: a }, { address: x, device: b }]\n', /devices\[1\]\.address: address 'x' is used twice$/],
    ['a time zone that is an offset', '      timeZone: "+01:00"\n', /timeZone: expected an IANA time zone such as "Europe\/Berlin"/],
    ['a time zone nobody knows', '      timeZone: Europe/Atlantis\n', /timeZone: expected an IANA time zone/],
    ['an unknown key', '      chanels: {}\n', /unknown key 'chanels'.*did you mean 'channels'\?$/],
  ])('with %s are refused', (_what, lines, message) => {
    expect(problems(profile(lines))).toEqual([expect.stringMatching(message)]);
  });

  it('with a family that does not exist are refused, and so are filters that are none and names used twice', () => {
    expect(problems(profile('').replace('native-json', 'nativ-json'))).toEqual([expect.stringMatching(/decoder: unknown device family 'nativ-json'; did you mean 'native-json'\?$/)]);
    for (const filter of ['devices/a+/x', 'devices/#/x', 'devices/x#', '""']) {
      expect(problems(profile('').replace('devices/zigbee/#', filter))).toEqual([expect.stringMatching(/topic: expected an MQTT topic filter/)]);
    }
    const twice = `${profile('')}${profile('').split('\n').slice(2).join('\n')}`;
    expect(problems(twice)).toEqual([expect.stringMatching(/profiles\[1\]\.name: profile name 'zigbee' is used twice$/)]);
  });
});

describe('serial lines', () => {
  const serial = (line: string): string => `gateway:\n  serial:\n    - ${line}\n`;

  it('are taken with a path or a USB device', () => {
    const text = `${serial('{ device: oximeter, path: /dev/serial/by-id/usb-x, decoder: native-json }')}    - { device: board, usb: { vendor: "10C4", product: ea60, serial: "7" }, decoder: native-json, framing: cobs, baudRate: 9600 }\n`;
    expect(parseConfig(text, 'c.yaml', { known: KNOWN }).gateway?.serial).toEqual([
      { device: 'oximeter', path: '/dev/serial/by-id/usb-x', decoder: 'native-json' },
      { device: 'board', usb: { vendor: '10c4', product: 'ea60', serial: '7' }, decoder: 'native-json', framing: 'cobs', baudRate: 9600 },
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['a path that depends on the order of plugging in', '{ device: a, path: /dev/ttyUSB0, decoder: native-json }', /path: expected .*another device may have this path tomorrow/],
    ['a path that is relative', '{ device: a, path: ttyS0, decoder: native-json }', /path: expected the absolute path/],
    ['neither path nor usb', '{ device: a, decoder: native-json }', /expected one of 'path' and 'usb'/],
    ['both', '{ device: a, path: /dev/x, usb: { vendor: "10c4", product: "ea60" }, decoder: native-json }', /usb: expected only one of 'path' and 'usb'/],
    ['a number that is no USB id', '{ device: a, usb: { vendor: 1234, product: "ea60" }, decoder: native-json }', /vendor: expected four hexadecimal digits in quotes/],
    ['a mistyped family', '{ device: a, path: /dev/x, decoder: nativ-json }', /decoder: unknown device family 'nativ-json'; did you mean 'native-json'/],
    ['a framing of its own invention', '{ device: a, path: /dev/x, decoder: native-json, framing: slip }', /framing: expected one of line, cobs/],
  ])('with %s are refused', (_what, line, message) => {
    expect(problems(serial(line))).toEqual([expect.stringMatching(message)]);
  });

  it('may not share a device or a port', () => {
    const line = '{ device: a, path: /dev/x, decoder: native-json }';
    expect(problems(`${serial(line)}    - ${line}\n`)).toEqual([expect.stringMatching(/serial\[1\]\.device: device 'a' is used twice/), expect.stringMatching(/serial\[1\]\.path: path '\/dev\/x' is used twice/)]);
  });
});

describe('bridges', () => {
  const bridge = (fields: string): string => `gateway:\n  bridges:\n    - { name: home, ${fields} }\n`;

  it('are MQTT 5 unless told otherwise', () => {
    const text = bridge('url: mqtts://broker.example:8883, topics: ["zigbee2mqtt/#"], username: gateway, passwordFile: ./secret');
    expect(parseConfig(text, 'c.yaml', { known: KNOWN }).gateway?.bridges).toEqual([
      { name: 'home', url: 'mqtts://broker.example:8883', topics: ['zigbee2mqtt/#'], version: '5', username: 'gateway', passwordFile: './secret' },
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['an address of another kind', 'url: http://broker, topics: ["#"]', /url: expected an mqtt or mqtts address.*the scheme is http/],
    ['a password in the address', 'url: mqtt://a:b@broker, topics: ["#"]', /url: .*they belong into 'username' and 'passwordFile'/],
    ['a path', 'url: mqtt://broker/x, topics: ["#"]', /url: expected an mqtt or mqtts address/],
    ['nothing to subscribe to', 'url: mqtt://broker, topics: []', /topics: expected at least one topic filter/],
    ['a version that does not exist', 'url: mqtt://broker, topics: ["#"], version: "4"', /version: expected one of 5, 3\.1\.1/],
  ])('with %s are refused', (_what, fields, message) => {
    expect(problems(bridge(fields))).toEqual([expect.stringMatching(message)]);
  });

  it('may not share a name: it is their session', () => {
    const one = 'url: mqtt://broker, topics: ["#"]';
    expect(problems(`${bridge(one)}    - { name: home, ${one} }\n`)).toEqual([expect.stringMatching(/bridges\[1\]\.name: bridge name 'home' is used twice/)]);
  });
});
