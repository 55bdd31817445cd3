/** What stands in an SMS-SUBMIT that left (3GPP TS 23.040 §9.2.2.2, 23.038 §6.2.1), read by a table of its own, so that it shares no mistake with whoever wrote it. */

/** GSM 7-bit default alphabet, in its order; ESC begins a sign of the extension table. */
const ALPHABET = '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u001BÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const EXTENSION: Readonly<Record<number, string>> = { 0x0a: '\f', 0x14: '^', 0x28: '{', 0x29: '}', 0x2f: '\\', 0x3c: '[', 0x3d: '~', 0x3e: ']', 0x40: '|', 0x65: '€' };
const ESCAPE = 27;
const UCS2 = 0x08;
const WITH_HEADER = 0x40;
const CONCATENATED = { eight: 0, sixteen: 8 } as const;

export type ShortMessage = Readonly<{ to: string; /** Of a text in parts: which one, counted from 1. */ part: number; parts: number; reference: number; /** Bytes of its text, to be joined before they are read as UCS-2. */ body: Buffer | string }>;

/** Throws RangeError for what is no such message. */
export function readSubmit(hex: string): ShortMessage {
  const bytes = Buffer.from(hex, 'hex');
  const tpdu = bytes.subarray(1 + at(bytes, 0));
  if ((at(tpdu, 0) & 0x03) !== 1) throw new RangeError('no SMS-SUBMIT');
  const digits = at(tpdu, 2);
  const address = tpdu.subarray(4, 4 + Math.ceil(digits / 2));
  const number = [...address].map((octet) => `${(octet & 0x0f).toString(16)}${(octet >> 4).toString(16)}`).join('').slice(0, digits);
  const coding = at(tpdu, 5 + address.length);
  // Two bits say how long its validity is written.
  const validity = [0, 7, 1, 7][(at(tpdu, 0) >> 3) & 0x03] ?? 0;
  const length = at(tpdu, 6 + address.length + validity);
  const data = tpdu.subarray(7 + address.length + validity);
  const headerLength = (at(tpdu, 0) & WITH_HEADER) === 0 ? 0 : 1 + at(data, 0);
  const body = coding === UCS2 ? data.subarray(headerLength, length) : septets(data, Math.ceil((headerLength * 8) / 7), length);
  return { to: `${(at(tpdu, 3) & 0x70) === 0x10 ? '+' : ''}${number}`, ...placeIn(data.subarray(1, headerLength)), body };
}

/** The text of all parts, which MUST be in their order. */
export function textOf(parts: readonly ShortMessage[]): string {
  const bodies = parts.map(({ body }) => body);
  if (bodies.every((body) => typeof body === 'string')) return bodies.join('');
  return Buffer.from(Buffer.concat(bodies.filter((body) => typeof body !== 'string'))).swap16().toString('utf16le');
}

function placeIn(header: Uint8Array): Pick<ShortMessage, 'part' | 'parts' | 'reference'> {
  for (let i = 0; i < header.length; i += 2 + at(header, i + 1)) {
    const wide = at(header, i) === CONCATENATED.sixteen ? 1 : 0;
    if (at(header, i) !== CONCATENATED.eight && wide === 0) continue;
    return { reference: wide === 0 ? at(header, i + 2) : at(header, i + 2) * 256 + at(header, i + 3), parts: at(header, i + 3 + wide), part: at(header, i + 4 + wide) };
  }
  return { part: 1, parts: 1, reference: 0 };
}

function septets(data: Uint8Array, from: number, until: number): string {
  let text = '';
  let isEscaped = false;
  for (let i = from; i < until; i++) {
    const bit = i * 7;
    const value = ((at(data, bit >> 3) | ((data[(bit >> 3) + 1] ?? 0) << 8)) >> (bit & 7)) & 0x7f;
    if (value === ESCAPE) isEscaped = true;
    else {
      text += (isEscaped ? EXTENSION[value] : ALPHABET[value]) ?? '?';
      isEscaped = false;
    }
  }
  return text;
}

function at(bytes: Uint8Array, index: number): number {
  const byte = bytes[index];
  if (byte === undefined) throw new RangeError('it ends too early');
  return byte;
}
