import type { StoreError } from '../errors.ts';
import type { Millis } from '../quantity.ts';

/** Work that one of several processes over one store does at a time. Throws {@link StoreError}. */
export interface Leases {
  /** Takes or keeps the lease of that name for so long from now. False while another holder's has not expired. */
  hold(name: string, holder: string, length: Millis): Promise<boolean>;
  /** Gives it back, so that nobody has to wait for its end. Does nothing where another has it. */
  release(name: string, holder: string): Promise<void>;
}
