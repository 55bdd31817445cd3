import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_CLASSES, ITEMS } from '../../gateway/consent/data-classes.ts';
import { asSet } from '../../gateway/consent/fields.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { isSignedBy, openStatement, signStatement, type Statement } from '../../gateway/consent/statement.ts';
import { FIDELITIES, LABELS, PURPOSES, ROLES } from '../../gateway/consent/vocabulary.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { CborError } from '../../gateway/ledger/cbor.ts';
import { DOMAINS, sign1 } from '../../gateway/ledger/cose.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { ANNA, denial, fingerprintOf, grant, hexOf, idNumber, keyNumber, NOON } from './statements.ts';

const VECTORS = `${import.meta.dirname}/vectors`;

const hex = (bytes: number): fc.Arbitrary<string> => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(hexOf);
const setOf = (words: readonly string[]): fc.Arbitrary<readonly string[]> => fc.subarray([...words], { minLength: 1 }).map(asSet);
const instants = fc.integer({ min: 0, max: 2 ** 45 });
const period = fc.tuple(instants, fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined })).map(([from, long]) => ({ from: UnixMillis(from), ...(long === undefined ? {} : { until: UnixMillis(from + long) }) }));
const recipient = fc.record({ hospital: hex(16), role: fc.constantFrom(...ROLES), person: fc.constantFrom('ada', 'Dr. Müller') }, { requiredKeys: [] });
const limits = fc.record({ what: setOf([...Object.keys(DATA_CLASSES), ...ITEMS]), labels: setOf(Object.keys(LABELS)), sources: setOf(['band-1', 'nurse ada', 'scale']), measured: period }, { requiredKeys: [] });
const purposes = setOf([...Object.keys(PURPOSES), 'HRESCH/heart-2030']);
const approval = fc.integer({ min: 1, max: 3 }).map((threshold) => ({ threshold, of: [2, 3, 4].map((n) => ({ name: `approver ${n}`, key: hexOf(keyNumber(n).publicKey) })) }));
const grants: fc.Arbitrary<Grant> = fc
  .record({ permit: fc.boolean(), limits, period, purposes, to: recipient, id: hex(16), after: hex(32), fidelity: fc.constantFrom(...FIDELITIES), approval: fc.option(approval, { nil: undefined }) })
  .map((drawn) => ({
    kind: 'grant', id: drawn.id, patient: 'anna', by: fingerprintOf(ANNA), after: drawn.after, permit: drawn.permit, to: drawn.to, ...drawn.limits, ...drawn.period, purposes: drawn.purposes,
    ...(drawn.permit ? { fidelity: drawn.fidelity, ...(drawn.approval === undefined ? {} : { approval: drawn.approval }) } : {}),
  }));

const others: readonly Statement[] = [
  { kind: 'revocation', id: idNumber(2), patient: 'anna', by: fingerprintOf(ANNA), what: 'grant', which: idNumber(1) },
  { kind: 'revocation', id: idNumber(3), patient: 'anna', by: fingerprintOf(ANNA), what: 'key', which: idNumber(9), reason: 'the phone was stolen' },
  { kind: 'approval', request: '5'.repeat(64), expires: NOON, by: fingerprintOf(ANNA) },
];

describe('the table of classes', () => {
  it('puts every measurement of the gateway into one class, and knows no other than events', () => {
    const events = [...DATA_CLASSES.alarms, ...DATA_CLASSES.notes] as readonly string[];
    expect([...ITEMS].sort()).toEqual([...MEASUREMENTS.keys(), ...events].sort());
    expect(new Set(ITEMS).size).toBe(Object.values(DATA_CLASSES).flat().length);
  });

  it('has no class of one item, which would be as narrow as the item, and no class named as an item', () => {
    for (const [name, items] of Object.entries(DATA_CLASSES)) {
      expect(items.length).toBeGreaterThan(1);
      expect(ITEMS).not.toContain(name);
    }
  });
});

describe('a statement', () => {
  it('comes back as it was said, signed by whoever says so and nobody else', () => {
    fc.assert(fc.property(grants, (said) => {
      const opened = openStatement(signStatement(said, ANNA));
      expect(opened.statement).toEqual(said);
      expect(isSignedBy(opened, hexOf(ANNA.publicKey))).toBe(true);
      expect(isSignedBy(opened, hexOf(keyNumber(2).publicKey))).toBe(false);
    }), { numRuns: 60 });
    for (const said of others) expect(openStatement(signStatement(said, ANNA)).statement).toEqual(said);
  });

  it('is not believed with a single bit changed', () => {
    const bytes = signStatement(grant({ until: NOON, what: ['alarms', 'spo2'] }), ANNA);
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(isBelieved(changed)).toBe(false);
    }
  });

  it('is never anything else than it was signed as', () => {
    for (const said of [grant(), denial(), ...others]) {
      const { envelope } = openStatement(signStatement(said, ANNA));
      for (const domain of Object.values(DOMAINS).filter((each) => each !== DOMAINS[said.kind])) expect(isBelieved(sign1(envelope.payload, ANNA, domain))).toBe(false);
    }
  });
});

function isBelieved(bytes: Uint8Array): boolean {
  try {
    return isSignedBy(openStatement(bytes), hexOf(ANNA.publicKey));
  } catch (error) {
    if (error instanceof CborError) return false;
    throw error;
  }
}

/** Each file is an attack, named after it: `bytes` of an envelope that is signed well, and a part of the reason it is refused for. */
describe('a hostile statement', () => {
  const files = readdirSync(VECTORS).filter((name) => name.endsWith('.json'));
  it.each(files)('%s is refused with the reason', (name) => {
    const { bytes, refused } = JSON.parse(readFileSync(`${VECTORS}/${name}`, 'utf8')) as { bytes: string; refused: string };
    expect(() => openStatement(Buffer.from(bytes, 'hex'))).toThrow(CborError);
    expect(() => openStatement(Buffer.from(bytes, 'hex'))).toThrow(refused);
  });
  it('has vectors', () => expect(files.length).toBeGreaterThan(20));
});
