/** What of an ordered sequence was handed to flows and is not acknowledged to the gateway yet. */

/** @typedef {{ sequence: string, isDone: boolean }} Entry */

export class UnderWay {
  /** In the order they came. @type {Map<string, Entry>} */
  #entries = new Map();

  /**
   * False for a message that flows are working on, or are done with: then it must not be handed to them again.
   * @param {string} id
   */
  take(id) {
    if (this.#entries.has(id)) return false;
    this.#entries.set(id, { sequence: id.slice(0, id.lastIndexOf('-')), isDone: false });
    return true;
  }

  /** @param {string} id */
  done(id) {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isDone = true;
  }

  /** The ids to acknowledge: of each sequence the last before which everything is done. An acknowledgement is of all before it, too. */
  get acknowledgeable() {
    /** @type {Map<string, string | undefined>} */
    const last = new Map();
    /** @type {Set<string>} */
    const waiting = new Set();
    for (const [id, { sequence, isDone }] of this.#entries) {
      if (!isDone) waiting.add(sequence);
      else if (!waiting.has(sequence)) last.set(sequence, id);
    }
    return [...last.values()].filter((id) => id !== undefined);
  }

  /**
   * The gateway knows.
   * @param {readonly string[]} ids
   */
  forget(ids) {
    for (const acknowledged of ids) {
      const sequence = this.#entries.get(acknowledged)?.sequence;
      for (const [id, entry] of this.#entries) {
        if (entry.sequence === sequence) this.#entries.delete(id);
        if (id === acknowledged) break;
      }
    }
  }
}
