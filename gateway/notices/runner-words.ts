/** What the gateway and the process that runs programs for it say to each other. */

import type { Program } from './programs.ts';

export type ToRunner = Readonly<{ number: number; program: Program; text: string } | { giveUp: number }>;
export type FromRunner = Readonly<{ number: number } & ({ said: string } | { why: string })>;
