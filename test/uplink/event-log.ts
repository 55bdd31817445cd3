/** Keeps events and lets a test wait for one, which may have happened already. */
export class EventLog<T> {
  readonly events: T[] = [];
  #added = Promise.withResolvers<void>();

  readonly add = (event: T): void => {
    this.events.push(event);
    this.#added.resolve();
    this.#added = Promise.withResolvers<void>();
  };

  /** The first event from position `from` on that fits. */
  async until(fits: (event: T) => boolean, from = 0): Promise<T> {
    for (;;) {
      const found = this.events.slice(from).find(fits);
      if (found !== undefined) return found;
      await this.#added.promise;
    }
  }
}
