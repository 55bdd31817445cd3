/** The section `links` of the configuration: the ways to the hospitals, what may use them, and what they may cost. */

import { z } from 'zod';
import { Bytes, KiB, Millis, Minutes, Seconds } from '../quantity.ts';
import { duration, ipAddress, line, name, percent, size, word } from './fields.ts';
import { checkLink, checkLinks } from './relations.ts';
import { ALWAYS } from './setting.ts';

const MOST_LINKS = 8;

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
