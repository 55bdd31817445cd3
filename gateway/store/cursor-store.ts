import { messageOf, StoreError } from '../errors.ts';
import { HASH_BYTES } from '../ledger/bytes.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from '../ledger/cbor.ts';
import type { Lane } from '../reading.ts';
import type { RelayCursor, RelayCursors } from '../uplink/cursors.ts';
import type { KeyValueStore } from './key-value.ts';
import { cursorKey } from './keys.ts';

const CURSOR_VERSION = 1;

/**
 * Relay cursors over any engine. A cursor lies there as
 *
 *     { 1: 1, 2: height uint, 3: hash bstr 32, 4: receipt bstr }
 */
export class StoredCursors implements RelayCursors {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(hospital: Uint8Array, lane: Lane): Promise<RelayCursor | undefined> {
    const bytes = await this.#store.get(cursorKey(hospital, lane));
    return bytes === undefined ? undefined : decodeCursor(bytes);
  }

  async save(hospital: Uint8Array, lane: Lane, cursor: RelayCursor): Promise<void> {
    await this.#store.write([{ key: cursorKey(hospital, lane), value: encodeCursor(cursor) }], { sync: false });
  }
}

function encodeCursor({ height, hash, receipt }: RelayCursor): Uint8Array {
  return encode(new Map<CborKey, CborValue>([[1, CURSOR_VERSION], [2, height], [3, hash], [4, receipt]]));
}

function decodeCursor(bytes: Uint8Array): RelayCursor {
  try {
    const fields = new CborFields(decode(bytes), 'relay cursor', [1, 2, 3, 4]);
    if (fields.count(1) !== CURSOR_VERSION) throw new CborError('malformed', `version ${fields.count(1)}, expected ${CURSOR_VERSION}`);
    return { height: fields.count(2), hash: fields.bytes(3, HASH_BYTES), receipt: fields.bytes(4) };
  } catch (cause) {
    throw new StoreError('VG_STORE_CORRUPT', `a relay cursor cannot be read: ${messageOf(cause)}`, { cause });
  }
}
