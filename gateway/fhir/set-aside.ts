import type { UnixMillis } from '../quantity.ts';

/** Something another system refuses for good: it is not sent again by itself, and it is not lost. JSON. */
export type SetAside = Readonly<{
  /** Whose output: the name of the system. */
  output: string;
  time: UnixMillis;
  chain: string;
  entry: number;
  record: number;
  /** `Observation/…`; absent where the payload is of no known form. */
  resource?: string;
  /** HTTP status; 0 where it was not sent. */
  status: number;
  /** What the server said, its OperationOutcome: personal data may be in it. At most 4000 characters. */
  outcome: string;
}>;

/** Throws {@link StoreError}. */
export interface SetAsides {
  /** Durable when it resolves; the same resource of the same output once. */
  put(asides: readonly SetAside[]): Promise<void>;
  /** By output, in the order of records. */
  list(output: string): Promise<readonly SetAside[]>;
  /** When they were taken over there after all, or are not wanted. */
  remove(asides: readonly SetAside[]): Promise<void>;
}
