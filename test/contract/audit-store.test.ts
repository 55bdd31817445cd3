import { describe, expect, it } from 'vitest';
import type { AuditedRead } from '../../gateway/fhir/audit-trail.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredAuditTrail } from '../../gateway/store/audit-store.ts';
import { ENGINES } from './engines.ts';

const ANNA = { kind: 'patient', person: 'a'.repeat(32) } as const;
const ROOM = { kind: 'room', person: 'a'.repeat(32) } as const;
const readOf = (asked: string, subject?: AuditedRead['subject']): AuditedRead => ({ time: UnixMillis(1), by: { id: 'nora', role: 'clinician', purpose: 'TREAT', by: 'fhir read' }, ...(subject !== undefined && { subject }), asked, count: 1 });

describe.each(ENGINES)('who saw what, over $name', ({ open }) => {
  it('has numbers in order, and is found by number, the newest first, and by subject', async () => {
    await using engine = await open();
    const trail = new StoredAuditTrail(engine.store);
    expect(await trail.newest({ limit: 5 })).toEqual([]);
    await trail.note([readOf('1', ANNA), readOf('2')]);
    await trail.note([]);
    await trail.note([readOf('3', ROOM), readOf('4', ANNA)]);
    expect((await trail.newest({ limit: 3 })).map(({ number, asked }) => [number, asked])).toEqual([[4, '4'], [3, '3'], [2, '2']]);
    expect((await trail.newest({ limit: 3, before: 2 })).map(({ number }) => number)).toEqual([1]);
    expect((await trail.newest({ limit: 3, subject: ANNA })).map(({ number }) => number)).toEqual([4, 1]);
    expect((await trail.newest({ limit: 3, subject: ROOM })).map(({ number }) => number)).toEqual([3]);
    expect((await trail.newest({ limit: 1, subject: ANNA, before: 4 })).map(({ number }) => number)).toEqual([1]);
    expect(await trail.read(2)).toEqual({ ...readOf('2'), number: 2 });
    expect(await trail.read(5)).toBeUndefined();
  });

  it('gives no number twice to several who note at once', async () => {
    await using engine = await open();
    const trails = Array.from({ length: 4 }, () => new StoredAuditTrail(engine.store));
    await Promise.all(trails.flatMap((trail, i) => Array.from({ length: 5 }, (_each, k) => trail.note([readOf(`${i} ${k} a`), readOf(`${i} ${k} b`)]))));
    const found = await trails[0]?.newest({ limit: 100 });
    expect(found?.map(({ number }) => number)).toEqual(Array.from({ length: 40 }, (_each, i) => 40 - i));
    expect(new Set(found?.map(({ asked }) => asked)).size).toBe(40);
  });

  it('is there when the store is opened anew', async () => {
    await using engine = await open();
    await new StoredAuditTrail(engine.store).note([readOf('1', ANNA)]);
    const again = new StoredAuditTrail(await engine.reopen());
    await again.note([readOf('2')]);
    expect((await again.newest({ limit: 5 })).map(({ number, asked }) => [number, asked])).toEqual([[2, '2'], [1, '1']]);
  });
});
