/** What is given of a block, the most urgent first: all of lane alarm; of lane record what is not detail; and waveforms. */
export const RELEASE_PARTS = ['alarm', 'record', 'detail'] as const;
export type ReleasePart = (typeof RELEASE_PARTS)[number];

/** How far payloads were given to one hospital. */
export type ReleaseCursor = Readonly<{
  /** Of the last release that was sent. */
  number: number;
  /** By part: the last block whose payloads the hospital has, as far as it may have them. */
  heights: Readonly<Record<ReleasePart, number>>;
}>;

/** Keeps one cursor for each hospital, and the content keys it is to be told are erased. `hospital`: the 16-byte fingerprint of its key. Throws {@link StoreError}. */
export interface ReleaseCursors {
  /** Undefined before the first. */
  load(hospital: Uint8Array): Promise<ReleaseCursor | undefined>;
  /** It MUST survive the death of the process. */
  save(hospital: Uint8Array, cursor: ReleaseCursor): Promise<void>;
  /** MUST be durable when it resolves: the keys are destroyed here next. */
  addErased(hospital: Uint8Array, ids: readonly Uint8Array[]): Promise<void>;
  /** Those it has not been told yet, at most `limit`. */
  erased(hospital: Uint8Array, limit: number): Promise<readonly Uint8Array[]>;
  /** It was told. */
  removeErased(hospital: Uint8Array, ids: readonly Uint8Array[]): Promise<void>;
  /**
   * What a hospital was told last of consents under the content key with that id: 32 bytes that stand for it. Undefined: nothing. It may be forgotten in a
   * power cut: then it is told again.
   */
  told(hospital: Uint8Array, id: Uint8Array): Promise<Uint8Array | undefined>;
  saveTold(hospital: Uint8Array, told: readonly Readonly<{ id: Uint8Array; mark: Uint8Array }>[]): Promise<void>;
  /** It is to be told everything again. */
  forgetTold(hospital: Uint8Array): Promise<void>;
}
