import type { Discovered, Discovery, ListedDevice } from '../device-views.ts';
import { formatDuration, Millis } from '../quantity.ts';
import { nameOf } from '../reading.ts';
import { counted } from './command.ts';

/** Columns for people, with a line of titles. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

const DASH = '-';

/** What is listed of every device. `now`: this machine's clock, for "3 min ago". */
export function deviceTable(devices: readonly ListedDevice[], now: number): string[] {
  if (devices.length === 0) return ['there is no device yet: "vitalgate device add"'];
  const titles = ['DEVICE', 'MEASURES', 'UNTIL', 'SEEN', 'PER MIN', 'BATTERY', 'SIGNAL', 'CLOCK', 'QUARANTINED', 'NOTES'];
  return table([titles, ...devices.map((device) => rowOf(device, now))]);
}

function rowOf(listed: ListedDevice, now: number): string[] {
  const { device, subject, until, lastSeen, perMinute, battery, signal, clockAhead, quarantined, notices, silent, credential } = listed;
  const notes = [...notices, ...silent.map((measurement) => `no ${measurement}`), ...(credential ? [] : ['no login'])];
  return [
    device,
    subject === null ? '(not bound)' : nameOf(subject),
    until ?? DASH,
    lastSeen === null ? 'never' : `${formatDuration(Millis(Math.max(0, now - Date.parse(lastSeen))))} ago`,
    perMinute === null ? DASH : String(perMinute),
    battery === null ? DASH : `${Math.round(battery)} %`,
    signal === null ? DASH : String(signal),
    clockAhead === null ? DASH : clockWords(clockAhead),
    String(quarantined),
    notes.join(', '),
  ];
}

/** Beyond this a device's clock was never set. */
const NEVER_SET = 365 * 86_400_000;

function clockWords(ahead: number): string {
  if (Math.abs(ahead) < 1000) return 'right';
  if (Math.abs(ahead) > NEVER_SET) return 'not set';
  return `${formatDuration(Millis(Math.abs(ahead)))} ${ahead > 0 ? 'ahead' : 'behind'}`;
}

const WHY: Readonly<Record<Discovered['why'], string>> = {
  unapproved_device: 'no profile names it',
  unbound_device: 'it is bound to nobody',
  unknown_topic: 'no profile reads its topic',
  announced: 'it is announced by Home Assistant discovery',
};

/** A few lines for everything that is seen: who, why, what it looks like, and what would make it ours. */
export function discoveryLines({ strangers, logins, ports }: Discovery): string[] {
  const all = [...strangers.map(describe), ...logins.map(loginLines), ...ports.map(portLines)];
  return all.length === 0 ? ['nothing is seen that is not approved'] : all.flatMap((lines) => [...lines, '']);
}

function loginLines({ device, reason, times, last }: Discovery['logins'][number]): string[] {
  return [
    `${device}   (tried to log in and was refused: ${reason})`,
    `  seen        ${counted(times, 'time')} since the gateway started, the last ${last ?? 'at an unknown time'}`,
    `  to use it   vitalgate device add ${device} (--patient ID | --room ID)`,
  ];
}

function portLines({ path, vendor, product, serial, name }: Discovery['ports'][number]): string[] {
  const number = serial === null ? '' : `, serial: ${JSON.stringify(serial)}`;
  return [
    `${path}   (something is plugged in that no serial line of the configuration means)`,
    `  it says     ${name ?? 'nothing of itself'}, USB ${vendor}:${product}`,
    '  to use it, add to "gateway" in the configuration, with what it speaks, and start the gateway again:',
    '      serial:',
    `        - { device: …, usb: { vendor: "${vendor}", product: "${product}"${number} }, decoder: … }`,
  ];
}

function describe(stranger: Discovered): string[] {
  const { connection, address, topic, why, messages, last, looks, announced, suggestion } = stranger;
  const like = looks === undefined ? [] : [`  looks like  ${looks.family}${looks.measurements.length === 0 ? '' : `: ${looks.measurements.join(', ')}`}`];
  return [
    `${address === undefined ? connection : `${address}, behind ${connection}`}   (${WHY[why]})`,
    `  seen        ${counted(messages, 'message')}, the last ${last ?? 'at an unknown time'} on ${topic}`,
    ...like,
    ...(announced ?? []).map(announcedLine),
    ...(suggestion?.profile === undefined ? [] : ['  to read it, add to "gateway" in the configuration and run "vitalgate reload":', ...suggestion.profile.map((line) => `      ${line}`)]),
    ...(suggestion === null ? [] : [`  to use it   ${suggestion.bind}`]),
  ];
}

type Told = NonNullable<Discovered['announced']>[number];

function announcedLine({ name, stateTopic, deviceName, manufacturer, model, unit, valueField, measurement }: Told): string {
  const maker = [manufacturer, model].filter((each) => each !== undefined).join(' ');
  const who = [deviceName, maker === '' ? undefined : `(${maker})`].filter((each) => each !== undefined).join(' ');
  const where = valueField === undefined || valueField === '' ? stateTopic : `${valueField} of ${stateTopic}`;
  return `  announces   ${who === '' ? '' : `${who}: `}${name}${unit === undefined ? '' : ` in ${unit}`}, ${where}${measurement === null ? '' : `, probably ${measurement}`}`;
}
