import type { lookup, LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { type AddressMemory, rememberingLookup } from '../../gateway/uplink/known-addresses.ts';

class Memory implements AddressMemory {
  readonly kept = new Map<string, readonly LookupAddress[]>();
  load(host: string): Promise<readonly LookupAddress[]> {
    return Promise.resolve(this.kept.get(host) ?? []);
  }
  save(host: string, found: readonly LookupAddress[]): Promise<void> {
    this.kept.set(host, found);
    return Promise.resolve();
  }
}

type Resolver = typeof lookup;
type Answer = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void;

const resolverThat = (answer: (callback: Answer) => void): Resolver => ((_host: string, _options: object, callback: Answer) => answer(callback)) as unknown as Resolver;
const saying = (...found: LookupAddress[]): Resolver => resolverThat((callback) => callback(null, found));
const failing = resolverThat((callback) => callback(Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' }), []));
/** What a resolver does whose server is gone. */
const silent = resolverThat(() => undefined);

const V4 = { address: '192.0.2.7', family: 4 };
const V6 = { address: '2001:db8::7', family: 6 };

/** What connecting would be told. */
async function find(resolver: Resolver, memory: AddressMemory, options: Readonly<{ all?: boolean; family?: number }> = { all: true }): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  rememberingLookup(memory, () => undefined, resolver)('hospital.example', options, (error, address, family) => resolve(error === null ? (options.all ? address : [address, family]) : error.code));
  return await promise;
}

describe('the address of a hospital', () => {
  it('is what the resolver says, and is kept', async () => {
    const memory = new Memory();
    expect(await find(saying(V4, V6), memory)).toEqual([V4, V6]);
    expect(await find(saying(V4), memory, {})).toEqual([V4.address, 4]);
    expect(memory.kept.get('hospital.example')).toEqual([V4]);
  });

  it('is what it was last when the resolver fails, says nothing, or does not answer', async () => {
    const memory = new Memory();
    await memory.save('hospital.example', [V4, V6]);
    expect(await find(failing, memory)).toEqual([V4, V6]);
    expect(await find(saying(), memory)).toEqual([V4, V6]);
    expect(await find(silent, memory)).toEqual([V4, V6]);
    expect(await find(silent, memory, { all: true, family: 6 })).toEqual([V6]);
    expect(memory.kept.get('hospital.example')).toEqual([V4, V6]);
  });

  it('is the resolver\'s error where nothing was ever known', async () => {
    expect(await find(failing, new Memory())).toBe('EAI_AGAIN');
    expect(await find(saying(), new Memory())).toBe('ENOTFOUND');
  });

  it('is the resolver\'s still when it answers late and nothing was known', async () => {
    const late = resolverThat((callback) => setTimeout(() => callback(null, [V4]), 600));
    expect(await find(late, new Memory())).toEqual([V4]);
  });

  it('a memory that fails is told of, and connecting gets an answer', async () => {
    const broken: AddressMemory = { load: () => Promise.reject(new Error('disk')), save: () => Promise.reject(new Error('disk')) };
    expect(await find(saying(V4), broken)).toEqual([V4]);
    expect(await find(failing, broken)).toBe('EAI_AGAIN');
  });
});
