import type { SetAside, SetAsides } from '../fhir/set-aside.ts';
import type { KeyValueStore } from './key-value.ts';
import { setAsideKey, startingWith } from './keys.ts';

const keyOf = ({ output, record, resource = '' }: SetAside): Uint8Array => setAsideKey(output, { record, resource });

/** What other systems refuse, over any engine, as JSON. */
export class StoredSetAsides implements SetAsides {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async put(asides: readonly SetAside[]): Promise<void> {
    if (asides.length > 0) await this.#store.write(asides.map((each) => ({ key: keyOf(each), value: Buffer.from(JSON.stringify(each), 'utf8') })), { sync: true });
  }

  async list(output: string): Promise<readonly SetAside[]> {
    const asides: SetAside[] = [];
    for await (const [, value] of this.#store.range(startingWith(setAsideKey(output)))) asides.push(JSON.parse(Buffer.from(value).toString('utf8')) as SetAside);
    return asides;
  }

  async remove(asides: readonly SetAside[]): Promise<void> {
    if (asides.length > 0) await this.#store.write(asides.map((each) => ({ key: keyOf(each) })), { sync: true });
  }
}
