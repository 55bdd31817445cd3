import type { Millis } from './quantity.ts';

/** Lets one loop sleep until there is something to do. A ring that comes while the loop is busy ends its next wait at once. */
export class Doorbell {
  #rung = false;
  #open: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#open?.();
  }

  /** Resolves when somebody rings, has rung since the last wait, or after `timeout`. One waiter at a time. */
  async wait(timeout?: Millis): Promise<void> {
    if (!this.#rung) await this.#untilRung(timeout);
    this.#rung = false;
  }

  async #untilRung(timeout: Millis | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#open = resolve;
      if (timeout !== undefined) timer = setTimeout(resolve, timeout);
    });
    clearTimeout(timer);
    this.#open = undefined;
  }
}
