/** The section `notices` of the configuration: by which ways the gateway itself tells people what flows want to have told. */

import { z } from 'zod';
import { Minutes, Seconds } from '../quantity.ts';
import { count, duration, formed, hostOrAddress, line, name, word } from './fields.ts';
import { checkCommands, checkMail } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_COMMANDS = 50;
const MOST_WORDS = 50;

/** Where mail goes to, or comes from: the part of RFC 5321 that people use. */
export const mailAddress = (): z.ZodType<string, string> => formed(/^(?=.{3,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'a mail address', ['dora@example.org']);

export const telephoneNumber = (): z.ZodType<string, string> => formed(/^\+?\d{3,15}$/, 'a telephone number: 3 to 15 digits, with + before a country code', ['+4915112345678']);

const file = (): z.ZodType<string, string> => line('the path of a file, absolute or relative to the working directory,', 4096);
const PORTS = { starttls: 587, tls: 465, none: 25 } as const;

const email = z
  .strictObject({
    host: hostOrAddress().describe('The mail server that takes mail from this gateway.'),
    port: count('as a port', 1, 65_535).optional().describe('Its port. Default: 587 with starttls, 465 with tls, 25 with none.'),
    security: setting(word('starttls', 'tls', 'none'), 'starttls', 'How the connection is kept from others: starttls (or no mail goes), tls from the beginning, or none, which only a server on this machine may have.'),
    caFile: file().optional().describe('Certificate authority (PEM) of the server. Default: those of this machine.'),
    user: line('a user name', 256).optional().describe('User there. Default: none; the server takes mail without.'),
    passwordFile: file().optional().describe('File whose first line is the password. It is read anew for every mail.'),
    from: mailAddress().describe('The address that mails come from.'),
    perHour: setting(count('mails', 1, 10_000), 600, 'Mails in an hour; what is beyond that fails, so that a flow which floods does not.'),
  })
  .superRefine(checkMail, ALWAYS)
  .transform(({ port, ...given }) => ({ ...given, port: port ?? PORTS[given.security] }))
  .optional()
  .describe('The mail server. Default: none; nobody can be told by e-mail. Mail is not sealed: whoever runs mail servers can read it.');

const command = z
  .strictObject({
    name: name('the name of a buzzer or command').describe('What flows call it; unique in this file.'),
    kind: setting(word('buzzer', 'command'), 'command', 'buzzer (it calls whoever is near) or command.'),
    run: z
      .array(line('a word of the command', 4096), { error: 'expected a list: the program, and its words' })
      .min(1, { error: 'expected at least the program' })
      .max(MOST_WORDS, { error: `expected at most ${MOST_WORDS} words` })
      .describe('The program and its words, as they are, without a shell; for example [/usr/bin/gpioset, …]. The text comes on standard input and as VITALGATE_TEXT, never as a word.'),
    within: setting(duration(Seconds(0.1), Minutes(2)), '10s', 'It is killed after so long, a duration.'),
  })
  .describe('A program that flows may have run.');

export const noticesSection = z
  .strictObject({
    email,
    sms: z
      .strictObject({ perHour: setting(count('messages', 1, 10_000), 120, 'Short messages in an hour, which may cost money; what is beyond that fails.') })
      .prefault({})
      .describe('Short messages by the modem of a link.'),
    commands: z
      .array(command, { error: 'expected a list of buzzers and commands' })
      .max(MOST_COMMANDS, { error: `expected at most ${MOST_COMMANDS} buzzers and commands` })
      .prefault([])
      .superRefine(checkCommands, ALWAYS)
      .describe('Programs that flows may have run, and no others. Default: none.'),
  })
  .prefault({})
  .describe('How the gateway tells people what flows ask it to tell (notify): e-mail, short messages, buzzers and commands.');
