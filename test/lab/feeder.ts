/**
 * Many devices in a namespace, for hours of the clock they live by, which may be a fast one: told on standard input what to publish, says on
 * standard output now and then how much was acknowledged. A process of its own, since a socket is in the namespace of the process that made it.
 */

import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../ingest/mqtt-wire.ts';

export type FeedOrder = Readonly<{
  port: number;
  devices: readonly Readonly<{ device: string; password: string; topic: string }>[];
  /** Readings of all devices in a second of their clock, and for how many of these seconds. */
  perSecond: number;
  seconds: number;
  /** What their clock shows at the beginning, Unix milliseconds, and how many of its seconds go by in one of ours. */
  from: number;
  speed: number;
}>;
/** Readings and bytes of their payloads that were acknowledged. */
export type Fed = Readonly<{ readings: number; bytes: number; isDone: boolean }>;

/** What each device says in turn. */
const SAID = [
  { measurement: 'heart_rate', unit: '/min', value: (n: number) => 62 + (n % 13) },
  { measurement: 'spo2', unit: '%', value: (n: number) => 95 + (n % 4) },
  { measurement: 'respiratory_rate', unit: '/min', value: (n: number) => 13 + (n % 5) },
  { measurement: 'skin_temperature', unit: 'Cel', value: (n: number) => 33 + (n % 9) / 10 },
] as const;
/** Most messages of one device that wait for their acknowledgement. */
const WINDOW = 50;
const TELL_EVERY_MS = 1000;

const { port, devices, perSecond, seconds, from, speed } = JSON.parse(await text(process.stdin)) as FeedOrder;
const began = performance.now();
const fed = { readings: 0, bytes: 0 };
const each = perSecond / devices.length;

/** One reading after the other, each when its time has come. */
async function live({ device, password, topic }: FeedOrder['devices'][number]): Promise<void> {
  await using client = await RawClient.login(port, { clientId: device, username: device, password, keepAlive: 1800 });
  for (let sent = 0; sent < each * seconds; ) {
    const due = Math.min(each * seconds, Math.ceil(((performance.now() - began) / 1000) * speed * each));
    const burst = Array.from({ length: Math.min(WINDOW, due - sent) }, (_, at) => reading(sent + at));
    if (burst.length === 0) await pause(5);
    const answers = await Promise.all(burst.map((payload) => client.publish({ topic, payload })));
    if (answers.includes(false)) throw new Error(`a reading of ${device} was not taken`);
    sent += burst.length;
    fed.readings += burst.length;
    fed.bytes += burst.reduce((sum, payload) => sum + payload.length, 0);
  }
}

function reading(number: number): string {
  const { measurement, unit, value } = SAID[number % SAID.length] as (typeof SAID)[number];
  return JSON.stringify({ seq: number, time: Math.round(from + (number / each) * 1000), measurement, value: value(Math.floor(number / SAID.length)), unit });
}

const tell = (isDone: boolean): boolean => process.stdout.write(`${JSON.stringify({ ...fed, isDone } satisfies Fed)}\n`);
const telling = setInterval(() => tell(false), TELL_EVERY_MS);
await Promise.all(devices.map(live));
clearInterval(telling);
tell(true);
