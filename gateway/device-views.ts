/** What people are told about devices: those that are ours, and those that are seen but reach nobody. */

import { suggestedMeasurement, type Announced } from './decode/home-assistant.ts';
import type { DerivationOverview } from './derive/overview.ts';
import type { DeviceStatus } from './derive/device-status.ts';
import type { Sighting } from './derive/sightings.ts';
import type { UsbPort } from './ingest/usb-ports.ts';
import type { Millis, UnixMillis } from './quantity.ts';
import type { DeviceId, Subject } from './reading.ts';
import type { RefusedLogin } from './refused-logins.ts';

/** Instants are ISO 8601 in UTC; null where nothing is known. */
export type ListedDevice = Readonly<{
  device: DeviceId;
  /** Whom it measures now. */
  subject: Subject | null;
  from: string | null;
  until: string | null;
  /** Whether it can log in by itself. */
  credential: boolean;
  class: string | null;
  lastSeen: string | null;
  /** Messages a minute, as usual of late. */
  perMinute: number | null;
  messages: number;
  readings: number;
  /** Messages of which at least a part went to quarantine. */
  quarantined: number;
  /** In percent. */
  battery: number | null;
  signal: number | null;
  /** How far its clock is ahead of the gateway's, in ms; null for a device without clock. */
  clockAhead: Millis | null;
  /** Measurements that should come and do not. */
  silent: readonly string[];
  /** What its last message said of itself: `battery_low`, `sensor_off`, `offline`, … */
  notices: readonly string[];
}>;

/** By name: everybody who can log in, or is or will be bound. */
export function listDevices(derived: DerivationOverview, credentials: readonly DeviceId[], now: UnixMillis): readonly ListedDevice[] {
  const withCredential = new Set(credentials);
  const at = derived.steadyAt(now);
  const bound = [...derived.bindings].filter(([, bindings]) => bindings.some(({ until }) => until === undefined || until > at));
  return [...new Set([...withCredential, ...bound.map(([device]) => device)])].toSorted().map((device) => listed(derived, device, withCredential.has(device), now));
}

/** One device, as it is now. */
export const deviceNow = (derived: DerivationOverview, device: DeviceId, now: UnixMillis): Omit<ListedDevice, 'credential'> => listed(derived, device, false, now);

function listed(derived: DerivationOverview, device: DeviceId, credential: boolean, now: UnixMillis): ListedDevice {
  const at = derived.steadyAt(now);
  const binding = derived.bindings.get(device)?.findLast(({ from, until }) => at >= from && (until === undefined || at < until));
  const wall = (steady: Millis | undefined): string | null => (steady === undefined ? null : isoOf(derived.wallAt(steady)));
  return { device, subject: binding?.subject ?? null, from: wall(binding?.from), until: wall(binding?.until), credential, ...described(derived.devices.get(device)) };
}

/** Fewer say nothing about what is usual. */
const MESSAGES_FOR_A_RATE = 8;

type Described = Omit<ListedDevice, 'device' | 'subject' | 'from' | 'until' | 'credential'>;

function described(status: DeviceStatus | undefined): Described {
  const silent = Object.entries(status?.channels ?? {}).filter(([, channel]) => channel.silent === true);
  return {
    class: status?.class ?? null,
    lastSeen: status === undefined ? null : isoOf(status.lastSeen),
    perMinute: status?.every === undefined || status.messages < MESSAGES_FOR_A_RATE ? null : Math.round(600_000 / Math.max(status.every, 1)) / 10,
    messages: status?.messages ?? 0,
    readings: status?.readings ?? 0,
    quarantined: status?.quarantined ?? 0,
    battery: status?.battery ?? null,
    signal: status?.signal ?? null,
    clockAhead: status?.ahead ?? null,
    silent: silent.map(([measurement]) => measurement),
    notices: status?.notices ?? [],
  };
}

/** A wall clock can have shown anything. */
function isoOf(instant: UnixMillis): string | null {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** A stranger, with what would make it ours. */
export type Discovered = Omit<Sighting, 'first' | 'last' | 'announced'> &
  Readonly<{
    first: string | null;
    last: string | null;
    announced?: readonly (Announced & Readonly<{ measurement: string | null }>)[];
    suggestion: Suggestion | null;
  }>;

/** `bind`: a command. `profile`: lines for the configuration file, and after a reload the command. */
export type Suggestion = Readonly<{ profile?: readonly string[]; bind: string }>;

/** A serial port with something plugged in that no serial line of the configuration means. USB numbers are hexadecimal. */
export type PluggedIn = Readonly<{ path: string; vendor: string; product: string; serial: string | null; name: string | null }>;

/** Somebody without the right credential. */
export type TriedToLogIn = Omit<RefusedLogin, 'last'> & Readonly<{ last: string | null }>;

/** Everything that is seen and not approved. */
export type Discovery = Readonly<{ strangers: readonly Discovered[]; logins: readonly TriedToLogIn[]; ports: readonly PluggedIn[] }>;

export function discovery(derived: DerivationOverview, logins: readonly RefusedLogin[], ports: readonly UsbPort[]): Discovery {
  return {
    strangers: discovered(derived),
    logins: logins.map((login) => ({ ...login, last: isoOf(login.last) })),
    ports: ports.map(({ path, vendor, product, serial = null, name = null }) => ({ path, vendor, product, serial, name })),
  };
}

/** Who was seen last comes first. */
function discovered(derived: DerivationOverview): readonly Discovered[] {
  const strangers = derived.sightings.toSorted((a, b) => b.last - a.last);
  return strangers.map(({ announced, ...sighting }) => ({
    ...sighting,
    first: isoOf(sighting.first),
    last: isoOf(sighting.last),
    ...(announced === undefined ? {} : { announced: announced.map((each) => ({ ...each, measurement: suggestedMeasurement(each) ?? null })) }),
    suggestion: suggestionFor(sighting, derived),
  }));
}

/** A name that can be a device id. */
function deviceIdFrom(text: string): string {
  const id = text.toLowerCase().replace(/[^a-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64);
  return id === '' ? 'device' : id;
}

function suggestionFor(sighting: Sighting, derived: DerivationOverview): Suggestion | null {
  const { why, connection, address, looks } = sighting;
  if (why === 'announced' || (why === 'unknown_topic' && looks === undefined)) return null;
  if (why === 'unbound_device') return bindCommand(address === undefined ? connection : (knownAs(derived, address) ?? connection));
  const stranger = address ?? looks?.address;
  if (stranger === undefined) return { profile: profileLines(connection, looks, undefined), ...bindCommand(connection) };
  const device = deviceIdFrom(stranger);
  return { profile: profileLines(connection, looks, { address: stranger, device }), ...bindCommand(device) };
}

const knownAs = (derived: DerivationOverview, address: string): DeviceId | undefined =>
  derived.profiles.flatMap(({ devices }) => devices ?? []).find((each) => each.address === address)?.device;

const bindCommand = (device: string): Suggestion => ({ bind: `vitalgate device bind ${device} (--patient ID | --room ID)` });

/** YAML; JSON texts are YAML, whatever stands in them. */
function profileLines(connection: string, looks: Sighting['looks'], device: Readonly<{ address: string; device: string }> | undefined): readonly string[] {
  const known = device === undefined ? [] : ['    devices:', `      - { address: ${JSON.stringify(device.address)}, device: ${device.device} }`];
  return [
    'profiles:',
    `  - name: ${deviceIdFrom(`${connection}-${looks?.family ?? 'devices'}`)}`,
    `    decoder: ${looks?.family ?? '…'}`,
    `    topic: ${JSON.stringify(looks?.filter ?? `devices/${connection}/#`)}`,
    ...known,
  ];
}
