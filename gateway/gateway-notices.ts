/** The ways by which this gateway tells people: its mail server, its modem, its buzzers and commands; and where people are to be reached. */

import { readFileSync } from 'node:fs';
import type { GatewayConfig } from './config/schema.ts';
import { ConfigError, messageOf } from './errors.ts';
import type { GatewayModems } from './gateway-modems.ts';
import { LONGEST_SMS } from './modem/sms.ts';
import { sendMail, type MailServer } from './notices/mail.ts';
import { without } from './notices/line.ts';
import { Notices, type HandOver, type Notice, type Told, type Way } from './notices/notices.ts';
import { ProgramRunner } from './notices/program-runner.ts';
import type { Program } from './notices/programs.ts';
import type { Contact } from './people/access.ts';
import type { Millis } from './quantity.ts';

export type GatewayNoticesOptions = Readonly<{
  config: Pick<GatewayConfig, 'notices'>;
  people: readonly Contact[];
  /** Undefined where this gateway serves nobody. */
  modems: Pick<GatewayModems, 'isEmpty' | 'sendSms'> | undefined;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
  log: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }>;
}>;

/** At a time: choices of this project. A modem sends one after the other. */
const MOST = { mails: 2, programs: 2 } as const;
const LONGEST_TITLE = 60;
const CUT = '...';

/** Throws {@link ConfigError} where a file of the mail server cannot be read. */
export class GatewayNotices {
  readonly #options: GatewayNoticesOptions;
  readonly #notices: Notices;
  readonly #runner = new ProgramRunner();
  #contacts: ReadonlyMap<string, Contact> = new Map();

  constructor(options: GatewayNoticesOptions) {
    this.#options = options;
    this.configure(options.people);
    const { email, sms, commands } = options.config.notices;
    const serves = options.modems !== undefined;
    if (email !== undefined && serves) readOnce(mailServerOf(email));
    if (commands.length > 0 && serves) this.#runner.start();
    const program = (notice: Notice, signal: AbortSignal): Promise<string> => this.#runner.run(this.#programFor(notice), notice.text, signal);
    const ways: Record<Way, HandOver> = {
      email: { most: MOST.mails, perHour: email?.perHour, hand: (notice, signal) => this.#mail(notice, signal) },
      sms: { most: 1, perHour: sms.perHour, goesOn: true, hand: (notice) => this.#sms(notice) },
      buzzer: { most: MOST.programs, hand: program },
      command: { most: MOST.programs, hand: program },
    };
    this.#notices = new Notices({ ways, uptime: options.uptime });
  }

  /** Takes over where people are to be reached now. */
  configure(people: readonly Contact[]): void {
    this.#contacts = new Map(people.map((contact) => [contact.name, contact]));
  }

  get programs(): readonly Pick<Program, 'name' | 'kind'>[] {
    return this.#options.config.notices.commands.map(({ name, kind }) => ({ name, kind }));
  }

  /** By what somebody can be told here now. */
  waysTo(person: string): readonly ('email' | 'sms')[] {
    const { config, modems } = this.#options;
    const { email, phone } = this.#contacts.get(person) ?? {};
    return [...(email !== undefined && config.notices.email !== undefined ? ['email' as const] : []), ...(phone !== undefined && modems?.isEmpty === false ? ['sms' as const] : [])];
  }

  async tell(notice: Notice): Promise<Told> {
    const told = await this.#notices.tell(notice);
    // Neither who nor what: a log is read by others.
    this.#options.log[told.outcome === 'failed' ? 'warn' : 'info']({ by: notice.by, outcome: told.outcome, detail: told.detail }, 'a notice');
    return told;
  }

  async stop(): Promise<void> {
    await this.#notices.stop();
    await this.#runner.stop();
  }

  async #mail({ to: person = '', title, text, id }: Notice, signal: AbortSignal): Promise<string> {
    const { email } = this.#options.config.notices;
    if (email === undefined) throw new Error('this gateway sends no mail: set notices.email in its configuration');
    const to = this.#contacts.get(person)?.email;
    if (to === undefined) throw new Error(`${person} has no mail address: set "email" of this person in alarms.people of the configuration`);
    return await sendMail(mailServerOf(email), { to, title: title ?? cut(text.split('\n', 1)[0] ?? '', LONGEST_TITLE), text, id }, signal);
  }

  async #sms({ to: person = '', text }: Notice): Promise<string> {
    const { modems } = this.#options;
    if (modems === undefined || modems.isEmpty) throw new Error('this gateway has no modem: set "modem" of one of its links in the configuration');
    const number = this.#contacts.get(person)?.phone;
    if (number === undefined) throw new Error(`${person} has no telephone number: set "phone" of this person in alarms.people of the configuration`);
    try {
      const { parts, references } = await modems.sendSms(number, cut(text, LONGEST_SMS));
      return `the network has taken it${parts === 1 ? '' : ` in ${parts} parts`}${references.length === 0 ? '' : `, reference ${references.join(', ')}`}`;
    } catch (error) {
      throw new Error(without(number, messageOf(error)), { cause: error });
    }
  }

  #programFor({ by, to }: Notice): Program {
    const { commands } = this.#options.config.notices;
    const program = commands.find(({ name, kind }) => kind === by && (to === undefined || name === to));
    if (program === undefined) throw new Error(`this gateway has no ${by}${to === undefined ? '' : ` ${JSON.stringify(to)}`}: notices.commands of its configuration names what there is`);
    return program;
  }
}

function mailServerOf({ host, port, security, caFile, user, passwordFile, from }: NonNullable<GatewayConfig['notices']['email']>): MailServer {
  return {
    host, port, security, from,
    ...(caFile === undefined ? {} : { ca: () => textIn(caFile) }),
    ...(user === undefined || passwordFile === undefined ? {} : { login: { user, password: () => (textIn(passwordFile).split(/\r?\n/, 1)[0] ?? '').trim() } }),
  };
}

/** What is missing is said at the start, and not at the first alarm. */
function readOnce({ ca, login }: MailServer): void {
  ca?.();
  login?.password();
}

function textIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`a file of notices.email cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Not through the middle of a character. */
const cut = (text: string, most: number): string => (text.length > most ? text.slice(0, most - CUT.length).replace(/[\uD800-\uDBFF]$/, '') + CUT : text);
