import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Millis } from '../quantity.ts';

/** Keeps what names of hospitals meant when they could last be resolved. Throws {@link StoreError}. */
export interface AddressMemory {
  load(host: string): Promise<readonly LookupAddress[]>;
  save(host: string, addresses: readonly LookupAddress[]): Promise<void>;
}

/** How long the resolver may take before the last known addresses are used. */
const PATIENCE = 500 as Millis;

type Answer = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/**
 * A lookup for connections that outlives the resolver: what a name meant last is used when nobody says in time what it means now. Where a hospital
 * is known by its key, an address that is somebody else's by now does no harm.
 */
export function rememberingLookup(memory: AddressMemory, onFault: (error: unknown) => void, resolver: typeof resolve = resolve): LookupFunction {
  const known = new Map<string, readonly LookupAddress[]>();
  const remember = (host: string, found: readonly LookupAddress[]): void => {
    if (JSON.stringify(known.get(host)) === JSON.stringify(found)) return;
    known.set(host, found);
    memory.save(host, found).catch(onFault);
  };
  return (host, options: LookupOptions, callback) => {
    const answer = once(options, callback);
    const useKnown = async (error?: NodeJS.ErrnoException): Promise<void> => {
      const last = known.get(host) ?? (await memory.load(host));
      const fit = last.filter(({ family }) => !options.family || options.family === family);
      if (fit.length > 0) answer(null, fit);
      else if (error !== undefined) answer(error, []);
    };
    const orFault = (using: Promise<void>): void => void using.catch((fault: unknown) => {
      onFault(fault);
      answer(Object.assign(new Error(`the address of ${host} is not known`), { code: 'EAI_AGAIN' }), []);
    });
    const late = setTimeout(() => orFault(useKnown()), PATIENCE);
    resolver(host, { family: options.family ?? 0, all: true }, (error, found) => {
      clearTimeout(late);
      if (error === null && found.length > 0) {
        remember(host, found);
        answer(null, found);
      } else orFault(useKnown(error ?? Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' })));
    });
  };
}

/** The first answer counts; it is given in the shape that was asked for. */
function once({ all }: LookupOptions, callback: Answer): (error: NodeJS.ErrnoException | null, found: readonly LookupAddress[]) => void {
  let answered = false;
  return (error, found) => {
    if (answered) return;
    answered = true;
    const [first] = found;
    if (error !== null || first === undefined) callback(error, []);
    else if (all === true) callback(null, [...found]);
    else callback(null, first.address, first.family);
  };
}
