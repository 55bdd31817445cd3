import { DecodeError } from '../errors.ts';
import { encodeAuthority } from '../ledger/authority.ts';
import { toHex } from '../ledger/bytes.ts';
import { CborError } from '../ledger/cbor.ts';
import { type Change, decodeSignedChange } from '../ledger/change.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { changeFields, ChangeRejected, judgeChange, kindOfChange } from '../ledger/succession.ts';
import type { UnixMillis } from '../quantity.ts';
import { LANES } from '../reading.ts';
import type { Drafts } from './drafts.ts';
import { authorityIn, type BegunChain, type SuccessionState } from './succession-state.ts';

/**
 * Judges changes of who may speak for the chain and makes their entries, one for each lane. A replacement has to be in the next block
 * after the last of the old key, while what is measured meanwhile waits. So its entries' numbers are set aside when it is asked for, and
 * nothing after them may be sealed until it is there.
 */
export class SuccessionBook {
  readonly #drafts: Drafts;
  readonly #begun: BegunChain | undefined;
  #state: SuccessionState;

  /** Without a chain, changes are refused. */
  constructor(drafts: Drafts, begun: BegunChain | undefined, state: SuccessionState) {
    this.#drafts = drafts;
    this.#begun = begun;
    this.#state = state;
  }

  get state(): SuccessionState {
    return this.#state;
  }

  /** A replacement is to come. Asked for twice, the first stands. */
  reserve(): void {
    if (this.#state.reserved === undefined) this.#state = { ...this.#state, reserved: this.#drafts.reserve(LANES.length) };
  }

  /** It is not to come any more. */
  release(): void {
    const { reserved: _, ...rest } = this.#state;
    this.#state = rest;
  }

  /** Throws {@link DecodeError} for a change that may not be. `encoded`: ledger/change.ts. */
  apply(encoded: Uint8Array, time: UnixMillis): void {
    const begun = this.#begun;
    if (begun === undefined) throw new DecodeError('wrong_shape', 'there is no chain whose authority could change');
    const before = authorityIn(this.#state, begun);
    const { signed, after } = refusing(() => {
      const read = decodeSignedChange(encoded);
      return { signed: read, after: judgeChange({ chain: begun.chain, authority: before, time }, read, verifyWithNodeCrypto) };
    });
    const first = this.#firstNumber(signed.change);
    for (const [index, lane] of LANES.entries()) {
      this.#drafts.add({ lane, kind: kindOfChange(signed.change), time, fields: changeFields(signed) }, first === undefined ? undefined : first + index);
    }
    if (first !== undefined) this.release();
    this.#state = { ...this.#state, authority: toHex(encodeAuthority(after)) };
  }

  #firstNumber({ type }: Change): number | undefined {
    if (type !== 'replacement') return undefined;
    if (this.#state.reserved === undefined) throw new DecodeError('wrong_shape', 'a replacement has to be awaited first: "vitalgate authority propose replacement"');
    return this.#state.reserved;
  }
}

function refusing<T>(judge: () => T): T {
  try {
    return judge();
  } catch (cause) {
    if (cause instanceof CborError || cause instanceof ChangeRejected) throw new DecodeError('wrong_shape', cause.message, { cause });
    throw cause;
  }
}
