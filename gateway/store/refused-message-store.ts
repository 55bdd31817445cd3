import type { SetAside, SetAsideMessages } from '../hl7/set-aside.ts';
import type { KeyValueStore } from './key-value.ts';
import { numberAt, refusedMessageKey, retriedMessageKey, startingWith } from './keys.ts';

const ASKED = Uint8Array.of(1);
const NUMBER_BYTES = 8;

/** What integration engines refuse, over any engine, as JSON. */
export class StoredRefusedMessages implements SetAsideMessages {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async put(destination: string, message: SetAside): Promise<void> {
    const value = Buffer.from(JSON.stringify(message), 'utf8');
    await this.#store.write([{ key: refusedMessageKey(destination, message.number), value }, { key: retriedMessageKey(destination, message.number) }], { sync: true });
  }

  async remove(destination: string, number: number): Promise<void> {
    await this.#store.write([{ key: refusedMessageKey(destination, number) }, { key: retriedMessageKey(destination, number) }], { sync: true });
  }

  async after(destination: string, number: number, limit: number): Promise<readonly SetAside[]> {
    const { lt } = startingWith(refusedMessageKey(destination));
    const messages: SetAside[] = [];
    for await (const [, value] of this.#store.range({ gte: refusedMessageKey(destination, number + 1), lt, limit })) messages.push(messageIn(value));
    return messages;
  }

  async count(destination: string): Promise<number> {
    return (await this.#numbersOf(destination)).length;
  }

  async askAgain(destination: string, number?: number): Promise<number> {
    const numbers = (await this.#numbersOf(destination)).filter((each) => number === undefined || each === number);
    if (numbers.length > 0) await this.#store.write(numbers.map((each) => ({ key: retriedMessageKey(destination, each), value: ASKED })), { sync: true });
    return numbers.length;
  }

  async nextAgain(destination: string): Promise<SetAside | undefined> {
    for await (const [key] of this.#store.range({ ...startingWith(retriedMessageKey(destination)), limit: 1 })) {
      const value = await this.#store.get(refusedMessageKey(destination, numberOf(key)));
      return value === undefined ? undefined : messageIn(value);
    }
    return undefined;
  }

  async #numbersOf(destination: string): Promise<readonly number[]> {
    const numbers: number[] = [];
    for await (const [key] of this.#store.range(startingWith(refusedMessageKey(destination)))) numbers.push(numberOf(key));
    return numbers;
  }
}

const numberOf = (key: Uint8Array): number => numberAt(key, key.length - NUMBER_BYTES);
const messageIn = (value: Uint8Array): SetAside => JSON.parse(Buffer.from(value).toString('utf8')) as SetAside;
