import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FlowFiles, filesNaming } from '../../gateway/nodered/flow-files.ts';

describe('the files of flows', () => {
  let folder: string;
  let now: number;
  let files: FlowFiles;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-flows-'));
    now = Date.parse('2026-11-30T09:00:00Z');
    files = new FlowFiles(folder, () => new Date((now += 1000)));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (label: string, credentials?: string): void => {
    writeFileSync(join(folder, 'flows.json'), JSON.stringify([{ id: '1', type: 'tab', label }, { id: '2', type: 'inject' }]));
    if (credentials !== undefined) writeFileSync(join(folder, 'flows_cred.json'), credentials);
  };
  const label = (): unknown => (JSON.parse(readFileSync(join(folder, 'flows.json'), 'utf8')) as { label: string }[])[0]?.label;

  it('are kept with every change, with who deployed them, for their owner alone', () => {
    expect(files.keep()).toBeUndefined();
    write('one');
    expect(files.keep('otto')).toBe('2026-11-30T09-00-01.000Z');
    expect(files.keep('otto')).toBeUndefined();
    write('two');
    files.keep();
    expect(files.history()).toMatchObject([{ copy: '2026-11-30T09-00-02.000Z', by: null, flows: 1, nodes: 1 }, { copy: '2026-11-30T09-00-01.000Z', by: 'otto' }]);
    expect(statSync(join(folder, 'history', '2026-11-30T09-00-01.000Z')).mode & 0o077).toBe(0);
  });

  it('go back to a copy, with the secrets of nodes as they were', () => {
    write('one', '{"$":"a"}');
    const copy = files.keep() ?? '';
    write('two', '{"$":"b"}');
    files.restoration(copy)();
    expect([label(), readFileSync(join(folder, 'flows_cred.json'), 'utf8')]).toEqual(['one', '{"$":"a"}']);
  });

  it('stay as they are when there is no such copy, or it is damaged', () => {
    write('one');
    const copy = files.keep() ?? '';
    for (const name of ['', '..', '../history', 'flows', '2026-01-01T00-00-00.000Z']) expect(() => files.restoration(name)).toThrow('there is no copy');
    writeFileSync(join(folder, 'history', copy, 'flows.json'), '[{"id":');
    expect(() => files.restoration(copy)).toThrow('damaged');
    expect(label()).toBe('one');
  });

  it('are a hundred copies at most', () => {
    for (let i = 0; i < 105; i++) {
      write(`number ${i}`);
      files.keep();
    }
    expect(files.history()).toHaveLength(100);
    expect(files.history()[0]).toMatchObject({ copy: '2026-11-30T09-01-45.000Z' });
  });

  it('are found where they name somebody', () => {
    mkdirSync(join(folder, 'context', 'global'), { recursive: true });
    mkdirSync(join(folder, 'node_modules'));
    for (const name of ['context/global/global.json', 'node_modules/anna.js']) writeFileSync(join(folder, name), '{"nights":{"anna.b":3}}');
    writeFileSync(join(folder, 'context', 'other.json'), '{"hanna.b":1,"anna.bc":2,"annaxb":3}');
    write('of anna.b');
    const copy = files.keep() ?? '';
    expect(filesNaming(folder, 'anna.b')).toEqual(['context/global/global.json', 'flows.json', `history/${copy}/flows.json`].map((name) => join(folder, name)));
    expect(filesNaming(folder, 'otto')).toEqual([]);
    expect(filesNaming(join(folder, 'nowhere'), 'anna.b')).toEqual([]);
  });
});
