import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Seconds, type Millis } from '../quantity.ts';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // nginx would keep events back until a buffer is full.
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

/** Server-sent events to one reader, at its own pace. */
export class EventWriter {
  readonly #response: ServerResponse;
  readonly #patience: Millis;
  readonly #closed = new AbortController();

  /** `patience`: how long a reader may take to read what was sent before it is cut off. `left` is called when it is gone. */
  constructor(response: ServerResponse, left: () => void, patience: Millis = Seconds(30)) {
    this.#response = response;
    this.#patience = patience;
    response.on('error', () => this.#closed.abort());
    response.on('close', () => {
      this.#closed.abort();
      left();
    });
  }

  begin(): void {
    this.#response.writeHead(200, HEADERS);
  }

  end(): void {
    this.#response.destroy();
  }

  get isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  /** Resolves when there is room for more; false when the reader is gone or reads nothing. */
  async send(text: string): Promise<boolean> {
    if (!this.isOpen) return false;
    if (this.#response.write(text)) return true;
    try {
      await once(this.#response, 'drain', { signal: AbortSignal.any([AbortSignal.timeout(this.#patience), this.#closed.signal]) });
      return true;
    } catch {
      return false;
    }
  }
}

/** Keeps a connection alive that has nothing to say. */
export const COMMENT = ':\n\n';

/** One line of data: JSON has no line breaks. */
export const eventOf = (event: string, data: object, id?: number): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
