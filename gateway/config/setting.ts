/** How sections of the schema (schema.ts) are put together. */

import { z } from 'zod';

/** A relation between settings is judged even while one of them is wrong, so that a file's problems are all told at once. */
export const ALWAYS = { when: () => true };

type Leaf = z.ZodType<unknown, string | number>;

/** A setting that has a default: what it is, what holds when it is left out, and what it means with its unit. */
export function setting<Kind extends Leaf>(kind: Kind, fallback: z.input<Kind>, meaning: string): z.ZodPrefault<Kind> {
  return z.prefault(kind, fallback).describe(`${meaning} Default ${fallback}.`);
}
