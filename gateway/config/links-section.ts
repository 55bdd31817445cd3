/** The section `links` of the configuration: the ways to the hospitals, what may use them, and what they may cost. */

import { z } from 'zod';
import { Bytes, KiB, Millis, Minutes, Seconds } from '../quantity.ts';
import { count, duration, formed, ipAddress, line, name, percent, serialPath, size, word } from './fields.ts';
import { telephoneNumber } from './notices-section.ts';
import { checkLink, checkLinks } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_LINKS = 8;

const MOST_NUMBERS = 10;

const sms = z
  .strictObject({
    to: z
      .array(telephoneNumber(), { error: 'expected a list of telephone numbers' })
      .min(1, { error: 'expected at least one telephone number' })
      .max(MOST_NUMBERS, { error: `expected at most ${MOST_NUMBERS} telephone numbers` })
      .describe('Telephone numbers that are told.'),
    after: setting(duration(Seconds(30), Minutes(24 * 60)), '5min', 'How long an alarm may wait for any hospital before they are told, a duration.'),
    again: setting(duration(Minutes(1), Minutes(24 * 60)), '1h', 'How soon they are told once more while alarms still wait, a duration.'),
  })
  .optional()
  .describe('Short messages as the last resort: that alarms have reached no hospital, and nothing of what they are about. Default: none.');

const modem = z
  .strictObject({
    port: serialPath().describe('Its AT port by a path that stays the same, such as /dev/serial/by-id/…; where ModemManager has the port, it is asked instead.'),
    apn: formed(/^[A-Za-z0-9.-]{1,100}$/, 'an access point name of letters, digits, dots and dashes', ['internet']).optional().describe('Access point name (on standalone 5G: DNN). Default: what the modem has.'),
    context: setting(count('as the number of a PDP context', 1, 15), 1, 'PDP context that is used.'),
    slice: formed(/^[0-9A-Fa-f]{2}(\.[0-9A-Fa-f]{6})?$/, 'a slice (S-NSSAI) such as "01" or "01.010101"', ['01.010101']).optional().describe('Slice (S-NSSAI) to ask for; where it is refused, the modem does without. Default: none.'),
    pinFile: line('the path of a file', 4096).optional().describe('File whose first line is the PIN of the SIM. It is never tried twice. Default: the SIM has none.'),
    sms,
  })
  .optional()
  .describe('The cellular modem behind the link, when the gateway shall bring it up, watch it and reset it. Default: something else does.');

const link = z
  .strictObject({
    name: name('a link name').describe('Name for logs and metrics, for example ethernet or 5g.'),
    interface: line('the name of a network interface', 15).optional().describe('Its interface, for example eth0 or wwan0; it may come and go (give exactly one of interface and address).'),
    address: ipAddress().optional().describe('Its address on this machine.'),
    metered: z.boolean({ error: 'expected true or false' }).prefault(false).describe('Whether bytes cost money: then it is probed rarely and carries no details, unless said otherwise. Default false.'),
    carries: word('alarm', 'record', 'detail')
      .optional()
      .describe('What may use it: alarm (alarms alone), record (blocks too, and payloads of events and summaries), detail (everything, waveforms too). Default: record where it is metered, else detail.'),
    budget: z
      .strictObject({
        day: size(KiB(64), Bytes(1e12)).optional().describe('Most bytes in a day, a size; the day of the gateway\'s time zone. Default: no limit.'),
        month: size(KiB(64), Bytes(1e13)).optional().describe('Most bytes in a calendar month, a size. Default: no limit.'),
        reserved: percent().prefault('10%').describe('Part of both that is kept for alarms, which are never held back. Default 10%.'),
      })
      .prefault({})
      .describe('What may go over it in all, both ways, other programs of this machine included.'),
    probe: duration(Millis(200), Minutes(24 * 60)).optional().describe('How often each hospital is asked over it whether it answers, while nothing else goes there, a duration. Default: 3s, where it is metered 5min.'),
    modem,
  })
  .superRefine(checkLink, ALWAYS)
  .transform(({ metered, carries, probe, ...given }) => ({ ...given, carries: carries ?? (metered ? 'record' as const : 'detail' as const), probe: probe ?? (metered ? Minutes(5) : Seconds(3)) }))
  .describe('A way out of the house.');

export const linksSection = z
  .array(link, { error: 'expected a list of links' })
  .max(MOST_LINKS, { error: `expected at most ${MOST_LINKS} links` })
  .prefault([])
  .superRefine(checkLinks, ALWAYS)
  .describe('Ways to the hospitals, the preferred one first. Each needs a route of its own for packets from its address ("ip rule"). Default: wherever the machine sends them.');
