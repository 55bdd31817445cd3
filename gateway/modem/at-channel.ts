/**
 * One command after the other to a modem, each with its deadline, while lines that nobody asked for come in between. After a deadline nobody
 * knows where the answers are: the next command waits until the modem has answered plain `AT`.
 */

import { setTimeout as delayed } from 'node:timers/promises';
import { type Millis, Seconds, formatDuration } from '../quantity.ts';
import { type Final, finalIn, ModemSilent } from './at-final.ts';
import { AtLines } from './at-lines.ts';

/** A line to a modem. */
export interface AtPort {
  /** Resolves when the bytes are on their way. Rejects when the line is gone. */
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type AskOptions = Readonly<{
  /** What answers begin with, for example `+CSQ:`; other lines were not asked for. Default: `+` and the name of the command where it has one; every line without a plus else. */
  answers?: string | readonly string[];
  /** Default 5 s. */
  timeout?: Millis;
  /** What is sent at the prompt `>`, without the Ctrl-Z at its end. */
  text?: string;
}>;

const TIMEOUT = Seconds(5);
const RESYNC = { tries: 3, timeout: Seconds(1), pause: Seconds(0.1) };
const CTRL_Z = '\u001A';
const ESCAPE = '\u001B';

type Asked = {
  readonly command: string;
  readonly answers: readonly string[];
  readonly text: string | undefined;
  readonly lines: string[];
  readonly done: (final: Final) => void;
};

export class AtChannel {
  readonly #port: AtPort;
  readonly #onUnsolicited: (line: string) => void;
  readonly #lines = new AtLines();
  #asked: Asked | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #inDoubt = true;
  #gone = Promise.withResolvers<never>();

  /** `onUnsolicited` hears of every line that is no answer. MUST NOT throw. */
  constructor(port: AtPort, onUnsolicited: (line: string) => void) {
    this.#port = port;
    this.#onUnsolicited = onUnsolicited;
    this.#gone.promise.catch(() => undefined);
  }

  /** What the modem sent. */
  received(bytes: Uint8Array): void {
    for (const line of this.#lines.push(bytes)) this.#take(line);
  }

  /** The line is gone: what is asked, and whatever will be, is rejected. */
  lost(why: string): void {
    this.#gone.reject(new ModemSilent(why));
  }

  /** The lines of the answer, without its end. Rejects with {@link AtError} and {@link ModemSilent}. */
  async ask(command: string, options: AskOptions = {}): Promise<readonly string[]> {
    const mine = this.#turn.then(async () => {
      if (this.#inDoubt) await this.#resync();
      return await this.#exchange(command, options);
    });
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  async #exchange(command: string, { answers = answersTo(command), timeout = TIMEOUT, text }: AskOptions): Promise<readonly string[]> {
    const { promise, resolve } = Promise.withResolvers<Final>();
    const asked: Asked = { command, answers: typeof answers === 'string' ? [answers] : answers, text, lines: [], done: resolve };
    this.#asked = asked;
    const enough = new AbortController();
    try {
      await Promise.race([this.#port.write(Buffer.from(`${command}\r`, 'latin1')).catch(asSilent), this.#gone.promise]);
      const late = delayed(timeout, undefined, { signal: enough.signal }).then((): never => {
        throw new ModemSilent(`the modem did not answer ${nameOf(command)} within ${formatDuration(timeout)}`);
      });
      const final = await Promise.race([promise, late, this.#gone.promise]);
      if (!final.ok) throw final.error;
      return asked.lines;
    } catch (thrown) {
      this.#inDoubt ||= thrown instanceof ModemSilent;
      throw thrown;
    } finally {
      enough.abort();
      this.#asked = undefined;
    }
  }

  async #resync(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#lines.clear();
      // It may still wait for the text of a message.
      await this.#port.write(Buffer.from(`${ESCAPE}\r`, 'latin1')).catch(asSilent);
      await delayed(RESYNC.pause);
      try {
        await this.#exchange('AT', { timeout: RESYNC.timeout });
        this.#inDoubt = false;
        return;
      } catch (thrown) {
        if (!(thrown instanceof ModemSilent)) {
          this.#inDoubt = false;
          return;
        }
        if (attempt === RESYNC.tries) throw thrown;
      }
    }
  }

  #take(line: string): void {
    const asked = this.#asked;
    if (asked === undefined) return this.#onUnsolicited(line);
    if (line === '>') {
      if (asked.text !== undefined) this.#port.write(Buffer.from(asked.text + CTRL_Z, 'latin1')).catch(() => undefined);
      return;
    }
    // What it was told comes back until it has heard ATE0, and the text of a message does always.
    if (line.startsWith(asked.command) || (asked.text !== undefined && line.startsWith(asked.text))) return;
    const final = finalIn(line);
    if (final !== undefined) {
      // What comes behind it, in the same read too, nobody asked for.
      this.#asked = undefined;
      asked.done(final);
    } else if (isAnswer(line, asked.answers)) asked.lines.push(line);
    else this.#onUnsolicited(line);
  }
}

function asSilent(thrown: unknown): never {
  throw new ModemSilent(`the line to the modem is gone: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
}

/** For messages: without what may be secret. */
const nameOf = (command: string): string => command.replace(/=.*$/s, '=…');

function answersTo(command: string): readonly string[] {
  const name = /^AT([+^$*][A-Z0-9]+)/.exec(command)?.[1];
  return name === undefined ? [] : [`${name}:`];
}

/** Without names to look for, all but what has a name: `+CREG: 1` is nobody's maker. */
function isAnswer(line: string, answers: readonly string[]): boolean {
  return answers.length === 0 ? !/^[+^$*]/.test(line) : answers.some((each) => line.startsWith(each));
}
