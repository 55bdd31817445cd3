/**
 * Chance that repeats. Every source of randomness in the simulator is a {@link Random}, split by name from one seed, so that
 * a run is the same whatever order its parts are asked in. Not for secrets.
 */

const GOLDEN_GAMMA = 0x9e3779b9;

/** The splitmix finaliser on 32 bits: spreads every input bit over the output. */
function mix(x: number): number {
  let z = x | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** Four unsigned 32-bit words, not all zero. */
export type XoshiroState = [number, number, number, number];

/** The next 32 bits of xoshiro128** (Blackman and Vigna), advancing `state` in place. */
export function xoshiro128(state: XoshiroState): number {
  const [a, b, c, d] = state;
  const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
  const c1 = c ^ a;
  const d1 = d ^ b;
  state[0] = (a ^ d1) >>> 0;
  state[1] = (b ^ c1) >>> 0;
  state[2] = (c1 ^ (b << 9)) >>> 0;
  state[3] = rotateLeft(d1, 11) >>> 0;
  return result;
}

function stateFor(name: string): XoshiroState {
  const low = hash(name);
  const high = hash(`${name}\u0000`);
  const word = (of: number, i: number): number => mix(of + Math.imul(GOLDEN_GAMMA, i));
  const state: XoshiroState = [word(low, 1), word(low, 2), word(high, 3), word(high, 4)];
  // The all-zero state is the one xoshiro can never leave.
  return state.some((part) => part !== 0) ? state : [1, 0, 0, 0];
}

export class Random {
  readonly #name: string;
  readonly #state: XoshiroState;
  #spare: number | undefined;

  /** Two instances with the same seed give the same numbers for ever. */
  constructor(seed: number | string) {
    this.#name = String(seed);
    this.#state = stateFor(this.#name);
  }

  /** An independent stream. MUST depend only on this one's seed and `name`, never on how much has been drawn so far. */
  split(name: string): Random {
    return new Random(`${this.#name}/${name}`);
  }

  /** Uniform in [0, 1), 53 bits. */
  next(): number {
    const high = xoshiro128(this.#state) >>> 5;
    const low = xoshiro128(this.#state) >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Exponentially distributed with the given mean: the length of anything that ends by chance. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** Normally distributed, mean 0, standard deviation 1 (Box–Muller; the second value of each pair is kept). */
  gaussian(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    const angle = 2 * Math.PI * this.next();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/**
 * A value that wanders around zero and forgets its past with a time constant (Ornstein–Uhlenbeck, exact for 1 s steps):
 * physiological noise is never white.
 */
export class Wander {
  readonly #random: Random;
  readonly #keep: number;
  readonly #kick: number;
  #value: number;

  /** @param deviation standard deviation in the unit of what wanders. @param timeConstant seconds. */
  constructor(deviation: number, timeConstant: number, random: Random) {
    this.#random = random;
    this.#keep = Math.exp(-1 / timeConstant);
    this.#kick = deviation * Math.sqrt(1 - this.#keep ** 2);
    this.#value = deviation * random.gaussian();
  }

  /** The value one second later. */
  step(): number {
    this.#value = this.#value * this.#keep + this.#kick * this.#random.gaussian();
    return this.#value;
  }
}

/** `current` one second later on its first-order way to `target`; `timeConstant` in seconds. */
export function approach(current: number, target: number, timeConstant: number): number {
  return current + (target - current) * -Math.expm1(-1 / timeConstant);
}
