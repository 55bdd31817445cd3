import { randomInt } from 'node:crypto';
import { Random } from '../../firmware-sim/random.ts';

/** VITALGATE_KILL_SEED repeats the moments of an earlier run. */
export const SEED = Number(process.env['VITALGATE_KILL_SEED'] ?? randomInt(2 ** 31));

export const moments = (name: string): Random => new Random(`${SEED} ${name}`);

/** VITALGATE_KILL_ROUNDS kills the gateway so often (default 25); the other suites keep their share of it. */
export const rounds = (share: number): number => Math.ceil(Number(process.env['VITALGATE_KILL_ROUNDS'] ?? 25) * share);
