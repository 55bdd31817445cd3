/** The part of the `rocksdb` package (an abstract-leveldown 7 store) that rocks-store.ts uses. */
declare module 'rocksdb' {
  type Callback<T extends unknown[] = []> = (error: Error | null | undefined, ...result: T) => void;
  type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

  interface Iterator {
    next(callback: Callback<[key?: Buffer, value?: Buffer]>): void;
    end(callback: Callback): void;
  }

  class RocksDB {
    constructor(location: string);
    open(
      options: {
        createIfMissing?: boolean;
        errorIfExists?: boolean;
        readOnly?: boolean;
        compression?: boolean;
        cacheSize?: number;
        writeBufferSize?: number;
        maxOpenFiles?: number;
      },
      callback: Callback,
    ): void;
    close(callback: Callback): void;
    get(key: Buffer, callback: Callback<[value: Buffer]>): void;
    batch(operations: Operation[], options: { sync: boolean }, callback: Callback): void;
    iterator(options: {
      gte?: Buffer;
      lt?: Buffer;
      reverse?: boolean;
      limit?: number;
      highWaterMark?: number;
      fillCache?: boolean;
    }): Iterator;
    compactRange(start: Buffer, end: Buffer, callback: Callback): void;
    getProperty(property: string): string;
  }

  export default function open(location: string): RocksDB;
  export type { RocksDB, Operation, Iterator };
}
