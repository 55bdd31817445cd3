import { createCipheriv, createDecipheriv } from 'node:crypto';
import { z } from 'zod';

/** Where the next page of a search begins, and whose search it is. */
const cursor = z.strictObject({
  type: z.string(),
  /** Who asked: nobody else can go on with it. */
  person: z.string(),
  purpose: z.string(),
  used: z.array(z.tuple([z.string(), z.string()])),
  after: z.strictObject({ value: z.number(), number: z.number(), id: z.string() }),
});
export type PageCursor = z.output<typeof cursor>;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LONGEST = 64_000;

/**
 * A cursor as text for a link, sealed (AES-256-GCM) under a key of this hospital: nobody can make or change one, and what was searched for stands
 * in no log of addresses.
 */
export function sealCursor(value: PageCursor, key: Uint8Array, random: (size: number) => Uint8Array): string {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
}

/** Undefined for anything that was not made here. */
export function openCursor(text: string, key: Uint8Array): PageCursor | undefined {
  if (text.length > LONGEST || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) return undefined;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
    const read = cursor.safeParse(JSON.parse(opened));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}
