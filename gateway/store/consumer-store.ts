import type { ConsumerStore, KeptConsumer } from '../flows/consumers.ts';
import type { KeyValueStore } from './key-value.ts';
import { allOf, consumerKey } from './keys.ts';

/** Consumers of messages for flows over any engine, as JSON. */
export class StoredConsumers implements ConsumerStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async put(consumer: KeptConsumer): Promise<void> {
    await this.#store.write([{ key: consumerKey(consumer.person, consumer.name), value: Buffer.from(JSON.stringify(consumer), 'utf8') }], { sync: true });
  }

  async remove(person: string, name: string): Promise<void> {
    await this.#store.write([{ key: consumerKey(person, name) }], { sync: true });
  }

  async list(): Promise<readonly KeptConsumer[]> {
    const consumers: KeptConsumer[] = [];
    for await (const [, value] of this.#store.range(allOf('f'))) consumers.push(JSON.parse(Buffer.from(value).toString('utf8')) as KeptConsumer);
    return consumers;
  }
}
