import type { KeyValueStore } from './key-value.ts';
import { bytesWrittenKey } from './keys.ts';

/** How many bytes this gateway has written since it was set up. A power cut may take what minutes have written. */
export class StoredWritten {
  readonly load: () => Promise<number>;
  readonly save: (bytes: number) => Promise<void>;

  constructor(store: KeyValueStore) {
    this.load = async () => {
      const bytes = await store.get(bytesWrittenKey());
      return bytes === undefined ? 0 : Number(Buffer.from(bytes).readBigUInt64BE(0));
    };
    this.save = async (written) => {
      const value = Buffer.alloc(8);
      value.writeBigUInt64BE(BigInt(Math.round(written)));
      await store.write([{ key: bytesWrittenKey(), value }], { sync: false });
    };
  }
}
