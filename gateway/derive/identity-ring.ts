/** Bytes of an identity (duplicates.ts); as a string, one character each. */
export const IDENTITY_LENGTH = 8;

const FIRST_CAPACITY = 64;
const MOST_COUNTED = 0xff;

/**
 * A queue of identities that knows whether it holds one. Two thousand of them for every device would be ten megabytes as
 * strings in a Map; here they are eight bytes each, and a counting filter (two slots an identity, counters that stay at 255)
 * spares nearly every new one the search.
 */
export class IdentityRing {
  #capacity = FIRST_CAPACITY;
  #words = new Uint32Array(2 * FIRST_CAPACITY);
  #filter = new Uint8Array(2 * FIRST_CAPACITY);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  has(identity: string): boolean {
    const [high, low] = [wordAt(identity, 0), wordAt(identity, 4)];
    if (this.#filter[this.#slot(high, low)] === 0 || this.#filter[this.#otherSlot(high, low)] === 0) return false;
    // The newest first: a repetition is seldom old.
    for (let i = this.#length - 1; i >= 0; i--) {
      const at = 2 * ((this.#first + i) % this.#capacity);
      if (this.#words[at] === high && this.#words[at + 1] === low) return true;
    }
    return false;
  }

  push(identity: string): void {
    if (this.#length === this.#capacity) this.#grow();
    this.#put(wordAt(identity, 0), wordAt(identity, 4));
  }

  /** Lets the `count` oldest go. */
  drop(count: number): void {
    for (let i = 0; i < count; i++) {
      const at = 2 * this.#first;
      this.#count(this.#words[at] as number, this.#words[at + 1] as number, -1);
      this.#first = (this.#first + 1) % this.#capacity;
      this.#length -= 1;
    }
  }

  /** The bytes of the `count` newest, the oldest of them first. */
  newest(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count * IDENTITY_LENGTH);
    for (let i = 0; i < count; i++) {
      const at = 2 * ((this.#first + this.#length - count + i) % this.#capacity);
      bytes.writeUInt32BE(this.#words[at] as number, i * IDENTITY_LENGTH);
      bytes.writeUInt32BE(this.#words[at + 1] as number, i * IDENTITY_LENGTH + 4);
    }
    return bytes;
  }

  #put(high: number, low: number): void {
    const at = 2 * ((this.#first + this.#length) % this.#capacity);
    this.#words[at] = high;
    this.#words[at + 1] = low;
    this.#length += 1;
    this.#count(high, low, 1);
  }

  #count(high: number, low: number, change: 1 | -1): void {
    for (const slot of [this.#slot(high, low), this.#otherSlot(high, low)]) {
      const counted = this.#filter[slot] as number;
      // One that reached the top no longer knows how many it stands for.
      if (counted < MOST_COUNTED) this.#filter[slot] = counted + change;
    }
  }

  #slot(high: number, low: number): number {
    return scatter(high ^ (low << 16) ^ (low >>> 16)) & (this.#filter.length - 1);
  }

  #otherSlot(high: number, low: number): number {
    return scatter(Math.imul(high, 0x85ebca6b) + low) & (this.#filter.length - 1);
  }

  #grow(): void {
    const [words, first, length, capacity] = [this.#words, this.#first, this.#length, this.#capacity];
    this.#capacity = 2 * capacity;
    this.#words = new Uint32Array(2 * this.#capacity);
    this.#filter = new Uint8Array(2 * this.#capacity);
    this.#first = 0;
    this.#length = 0;
    for (let i = 0; i < length; i++) {
      const at = 2 * ((first + i) % capacity);
      this.#put(words[at] as number, words[at + 1] as number);
    }
  }
}

function wordAt(identity: string, at: number): number {
  return (
    ((identity.charCodeAt(at) << 24) | (identity.charCodeAt(at + 1) << 16) | (identity.charCodeAt(at + 2) << 8) | identity.charCodeAt(at + 3)) >>> 0
  );
}

/** Spreads neighbouring numbers (counters, times) over all slots: Fibonacci hashing, upper bits first. */
function scatter(word: number): number {
  const product = Math.imul(word, 0x9e3779b1);
  return product ^ (product >>> 15);
}
