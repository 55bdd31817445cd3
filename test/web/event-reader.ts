/** Reads server-sent events as a browser does. */

export type ServerEvent = Readonly<{ event: string; id: string | undefined; data: Record<string, unknown> }>;

export class EventReader implements AsyncDisposable {
  readonly response: Response;
  /** Comment lines so far. */
  comments = 0;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = '';

  static async open(address: string, headers: Readonly<Record<string, string>>): Promise<EventReader> {
    return new EventReader(await fetch(address, { headers }));
  }

  private constructor(response: Response) {
    this.response = response;
    if (response.body === null) throw new Error('no stream');
    this.#reader = response.body.getReader();
  }

  /** The next event; undefined at the end. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end === -1) {
        if (!(await this.#more())) return undefined;
        continue;
      }
      const lines = this.#text.slice(0, end).split('\n');
      this.#text = this.#text.slice(end + 2);
      const field = (name: string): string | undefined => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [event, data] = [field('event'), field('data')];
      if (event === undefined || data === undefined) this.comments += 1;
      else return { event, id: field('id'), data: JSON.parse(data) as Record<string, unknown> };
    }
  }

  async take(count: number): Promise<readonly ServerEvent[]> {
    const events: ServerEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) break;
      events.push(event);
    }
    return events;
  }

  /** Resolves after so many comments were read. */
  async commented(count: number): Promise<void> {
    while (this.comments < count) {
      if (this.#text.includes('\n\n')) await this.#readComment();
      else if (!(await this.#more())) throw new Error('the stream ended');
    }
  }

  async #readComment(): Promise<void> {
    if (!this.#text.startsWith(':')) throw new Error(`expected a comment, got ${this.#text}`);
    this.#text = this.#text.slice(this.#text.indexOf('\n\n') + 2);
    this.comments += 1;
  }

  async #more(): Promise<boolean> {
    try {
      const { done, value } = await this.#reader.read();
      if (value !== undefined) this.#text += this.#decoder.decode(value, { stream: true });
      return !done;
    } catch {
      // Cut off.
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }
}
