import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ConfigError, messageOf } from './errors.ts';
import type { GatewayConfig } from './config/schema.ts';
import { LastResort } from './modem/last-resort.ts';
import type { Mmcli } from './modem/managed-driver.ts';
import { Modem, type ModemStatus } from './modem/modem.ts';
import { openModem, type ModemSettings } from './modem/open-modem.ts';
import type { SentSms } from './modem/sms.ts';
import { resetUsbDeviceOf } from './modem/usb-reset.ts';
import type { Logger } from './operations/log.ts';
import { Seconds } from './quantity.ts';
import { systemTime } from './uplink/retry.ts';

type ModemConfig = NonNullable<GatewayConfig['links'][number]['modem']>;

export type GatewayModemsOptions = Readonly<{
  links: GatewayConfig['links'];
  /** Whether a hospital is reached over that link. */
  works: (link: string) => boolean;
  /** How many blocks of the alarm lane no hospital has. */
  waiting: () => Promise<number>;
  /** What this gateway is called where people cannot see more. */
  name: string;
  log: Logger;
}>;

export type ModemReport = ModemStatus & Readonly<{ link: string; /** Messages that alarms wait, since the start. */ smsSent: number }>;

type Followed = Readonly<{ link: string; modem: Modem; lastResort: LastResort | undefined }>;

/** The modems of links, brought up and followed until {@link stop}. Throws {@link ConfigError} when a PIN cannot be read. */
export class GatewayModems {
  readonly #followed: readonly Followed[];

  constructor({ links, works, waiting, name, log }: GatewayModemsOptions) {
    this.#followed = links.flatMap(({ name: link, modem: config }) => {
      if (config === undefined) return [];
      const settings = settingsOf(config);
      const ofLink = log.child({ link });
      const modem = new Modem({ open: (onChange) => openModem(settings, mmcli, onChange), isWorking: () => works(link), resetUsb: () => resetUsbDeviceOf(settings.port), now: systemTime.now, log: ofLink });
      const { sms } = config;
      const lastResort = sms && new LastResort({ ...sms, waiting, name, send: (number, text) => modem.sendSms(number, text), now: systemTime.now, log: ofLink });
      return [{ link, modem, lastResort }];
    });
  }

  report(): readonly ModemReport[] {
    return this.#followed.map(({ link, modem, lastResort }) => ({ link, ...modem.status, smsSent: lastResort?.sent ?? 0 }));
  }

  get isEmpty(): boolean {
    return this.#followed.length === 0;
  }

  /** By the modem that has a network, else by the first, which says what is wrong. Resolves when the network has taken the message. Rejects with the reason. */
  async sendSms(number: string, text: string): Promise<SentSms> {
    const [first] = this.#followed.toSorted((one, other) => Number(hasNetwork(other)) - Number(hasNetwork(one)));
    if (first === undefined) throw new Error('this gateway has no modem: set "modem" of one of its links in the configuration');
    return await first.modem.sendSms(number, text);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#followed.map(async ({ modem, lastResort }) => {
      // It may be sending.
      await modem.stop();
      await lastResort?.stop();
    }));
  }
}

const hasNetwork = ({ modem: { status } }: Followed): boolean => status.state === 'connected' || status.state === 'registered';

function settingsOf({ port, apn, context, slice, pinFile }: ModemConfig): ModemSettings {
  return { port, context, ...(apn !== undefined && { apn }), ...(slice !== undefined && { slice }), ...(pinFile !== undefined && { pin: pinIn(pinFile) }) };
}

function pinIn(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').split(/\r?\n/, 1)[0]?.trim() ?? '';
  } catch (cause) {
    throw new ConfigError(`the PIN of a SIM cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (!/^\d{4,8}$/.test(text)) throw new ConfigError(`${path}: expected a PIN of 4 to 8 digits on the first line`);
  return text;
}

const run = promisify(execFile);
/** Connecting may take minutes. */
const mmcli: Mmcli = async (...words) => (await run('mmcli', ['--timeout=180', ...words], { timeout: Seconds(200) })).stdout;
