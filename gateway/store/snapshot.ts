import type { Row } from '../backup.ts';
import type { KeyValueStore } from './key-value.ts';

const EVERYTHING = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };

/** Every record of the engines, in the order they are given, all as of the moment of the first: a later engine as of no earlier moment. */
export async function* snapshotOf(engines: Readonly<Record<string, Pick<KeyValueStore, 'range'>>>): AsyncGenerator<Readonly<{ store: string; row: Row }>, void, undefined> {
  const opened: { store: string; rows: AsyncIterator<Row>; first: IteratorResult<Row> }[] = [];
  try {
    for (const [store, engine] of Object.entries(engines)) {
      const rows = engine.range(EVERYTHING)[Symbol.asyncIterator]();
      opened.push({ store, rows, first: await rows.next() });
    }
    for (const { store, rows, first } of opened) {
      for (let next = first; next.done !== true; next = await rows.next()) yield { store, row: next.value };
    }
  } finally {
    for (const { rows } of opened) await rows.return?.();
  }
}
