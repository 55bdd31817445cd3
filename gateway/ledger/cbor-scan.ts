/**
 * Finds where one CBOR item ends without building it. It serves two purposes: cutting a stream of items (RFC 8742) into
 * blocks while bytes still arrive, and refusing deep nesting before a recursive decoder sees it, so that what is
 * accepted never depends on the size of somebody's stack.
 */

import { VitalgateError } from '../errors.ts';

/** `malformed`: no CBOR item, or one that ends early; `not_canonical`: an item, but not in its one allowed encoding or profile. */
export type CborFault = 'malformed' | 'not_canonical';

/** Bytes that are not the one canonical encoding of an allowed value, or a value that has none. */
export class CborError extends VitalgateError {
  readonly code = 'VG_CBOR';
  readonly fault: CborFault;
  constructor(fault: CborFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** Arrays, maps and tags inside each other. The deepest structure of the chain, a block with its envelope, needs 4. */
export const MAX_DEPTH = 16;

/** Progress through one item: `position` is the next byte to read, `open` how many items each open container still lacks. */
export type CborScan = { position: number; readonly open: number[] };

/** A scan that starts at the first byte of an item. */
export function startScan(position = 0): CborScan {
  return { position, open: [1] };
}

type Head = Readonly<{ major: number; argument: number; length: number }>;

/** The item's first bytes (RFC 8949 §3): 3 bits major type, 5 bits argument or its size, then 0, 1, 2, 4 or 8 bytes. */
function readHead(bytes: Uint8Array, position: number): Head | undefined {
  const first = bytes[position];
  if (first === undefined) return undefined;
  const major = first >> 5;
  const low = first & 31;
  if (low < 24) return { major, argument: low, length: 1 };
  if (low === 31) throw new CborError('not_canonical', `indefinite length or break at byte ${position}: lengths must be definite`);
  if (low > 27) throw new CborError('malformed', `reserved additional information ${low} at byte ${position} [RFC 8949 §3]`);
  const size = 2 ** (low - 24);
  if (position + 1 + size > bytes.length) return undefined;
  return { major, argument: readArgument(bytes, position + 1, size), length: 1 + size };
}

function readArgument(bytes: Uint8Array, start: number, size: number): number {
  let argument = 0;
  for (let at = start; at < start + size; at++) argument = argument * 256 + (bytes[at] as number);
  return argument;
}

/** How many items follow inside: pairs count twice, a tag holds one. */
function itemsInside(head: Head): number {
  switch (head.major) {
    case 4: return head.argument;
    case 5: return head.argument * 2;
    case 6: return 1;
    default: return 0;
  }
}

function closeFinished(open: number[]): void {
  while (open.at(-1) === 0) open.pop();
}

/**
 * Reads on until the item is complete. Returns true when it is (`scan.position` is then its end), false when more bytes
 * are needed; call again with the same scan and a longer view of the same bytes.
 * Throws {@link CborError} for reserved heads, indefinite lengths and nesting deeper than {@link MAX_DEPTH}.
 */
export function resumeScan(scan: CborScan, bytes: Uint8Array): boolean {
  while (scan.open.length > 0) {
    const head = readHead(bytes, scan.position);
    if (head === undefined) return false;
    const isText = head.major === 2 || head.major === 3;
    scan.position += head.length + (isText ? head.argument : 0);
    scan.open[scan.open.length - 1] = (scan.open.at(-1) as number) - 1;
    const inside = itemsInside(head);
    if (inside > 0) scan.open.push(inside);
    if (scan.open.length > MAX_DEPTH + 1) {
      throw new CborError('malformed', `nested deeper than ${MAX_DEPTH} levels at byte ${scan.position}`);
    }
    closeFinished(scan.open);
  }
  return scan.position <= bytes.length;
}
