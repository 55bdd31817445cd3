import { decodeEntry } from '../ledger/entry.ts';

/** Which frames the evidence entries of a block cover. */
export type Coverage = Readonly<{
  /** Device messages among the frames. */
  messages: number;
  /** The last frame covered; undefined when the block holds no evidence. */
  through: number | undefined;
}>;

/** Reads the evidence entries among a block's entries. */
export function coverageOf(entries: readonly Uint8Array[]): Coverage {
  let messages = 0;
  let through: number | undefined;
  for (const bytes of entries) {
    const { kind, fields } = decodeEntry(bytes);
    if (kind !== 'evidence') continue;
    messages += fields.get('messages') as number;
    through = fields.get('last') as number;
  }
  return { messages, through };
}
