import { describe, expect, it } from 'vitest';
import type { SetAside } from '../../gateway/fhir/set-aside.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredSetAsides } from '../../gateway/store/set-aside-store.ts';
import { ENGINES } from './engines.ts';

const aside = (output: string, record: number, resource?: string): SetAside => ({ output, time: UnixMillis(1), chain: 'c'.repeat(32), entry: 2 * record, record, ...(resource !== undefined && { resource }), status: 422, outcome: 'error invalid' });

describe.each(ENGINES)('what other systems refuse, over $name', ({ open }) => {
  it('is there once, by system and in order of records, until it is removed', async () => {
    await using engine = await open();
    const asides = new StoredSetAsides(engine.store);
    await asides.put([aside('ehr', 300, 'Observation/b'), aside('ehr', 2), aside('ehr2', 1)]);
    await asides.put([aside('ehr', 300, 'Observation/b'), aside('ehr', 300, 'Observation/a')]);
    expect((await asides.list('ehr')).map(({ record, resource }) => [record, resource])).toEqual([[2, undefined], [300, 'Observation/a'], [300, 'Observation/b']]);
    await asides.remove([aside('ehr', 300, 'Observation/a')]);
    expect(await new StoredSetAsides(await engine.reopen()).list('ehr')).toEqual([aside('ehr', 2), aside('ehr', 300, 'Observation/b')]);
    expect(await asides.list('nobody').catch(() => [])).toEqual([]);
  });
});
