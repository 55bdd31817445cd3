import { expect } from 'vitest';
import type { Audit } from './audit.ts';

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);
const sizeOf = (sets: ReadonlyMap<string, ReadonlySet<string>>): number => sum([...sets.values()].map(({ size }) => size));

/** Payloads whose PUBACK was seen, by device. */
export type Acknowledged = ReadonlyMap<string, ReadonlySet<string>>;

/** What must hold whatever was killed, cut or full: nothing acknowledged is lost, nothing counts twice, both copies are one. */
export function expectNothingLost(audit: Audit, acknowledged: Acknowledged): void {
  const lost = [...acknowledged].flatMap(([device, payloads]) => [...payloads].filter((payload) => !audit.journal.get(device)?.has(payload)));
  expect(lost, 'acknowledged readings that are not in the journal').toEqual([]);
  expectCoveredOnce(audit);
  const distinct = sizeOf(audit.journal);
  expect(sum(audit.evidence.map(({ readings }) => readings)), 'every message is one reading, however often it was sent').toBe(distinct);
  expect(sum(audit.evidence.map(({ duplicates }) => duplicates)), 'every repetition was recognised').toBe(audit.deviceFrames - distinct);
  expect(audit.summarised, 'values in all summaries').toBe(distinct);
  expect([...audit.entrySequences].sort((a, b) => a - b), 'entries are numbered without gap or repetition').toEqual(audit.entrySequences.map((_, i) => i + 1));
  expect(audit.verdict).toBe('good');
  expect(audit.hospitalBlocks.length).toBe(audit.gatewayBlocks.length);
  expect(audit.hospitalBlocks.findIndex((block, i) => block !== audit.gatewayBlocks[i]), 'first block that the hospital has otherwise').toBe(-1);
}

function expectCoveredOnce({ evidence, lastFrame, deviceFrames }: Audit): void {
  const starts = evidence.map(({ first }) => first);
  expect(starts, 'every range begins where the last one ended').toEqual([1, ...evidence.slice(0, -1).map(({ last }) => last + 1)]);
  expect(evidence.at(-1)?.last, 'the last frame covered').toBe(lastFrame);
  expect(sum(evidence.map(({ messages }) => messages))).toBe(deviceFrames);
}

/** For the person who reads the output. */
export function figuresOf(audit: Audit, acknowledged: Acknowledged): string {
  const again = audit.deviceFrames - sizeOf(audit.journal);
  return `${sizeOf(acknowledged)} acknowledged, none lost; ${again} sent again and recognised; ${audit.gatewayBlocks.length} blocks, ${audit.entrySequences.length} entries`;
}
