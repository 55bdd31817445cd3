import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../gateway/config/schema.ts';

type Node = {
  description?: string;
  type?: string;
  properties?: Record<string, Node>;
  items?: Node;
  anyOf?: Node[];
  additionalProperties?: boolean;
};

/** Every setting of the schema with its path. */
function settings(node: Node, path: string): [string, Node][] {
  const below = Object.entries(node.properties ?? {}).map(([key, child]) => [`${path}.${key}`, child] as const);
  const nested = [node.items, ...(node.anyOf ?? [])].flatMap((child) => (child === undefined ? [] : settings(child, `${path}[]`)));
  return [...below.flatMap(([at, child]) => [[at, child] as [string, Node], ...settings(child, at)]), ...nested];
}

describe('the JSON Schema of the configuration', () => {
  const schema = jsonSchema() as Node;
  const all = settings(schema, '');

  it('is of draft 2020-12 and has both sections', () => {
    expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
    expect(Object.keys(schema.properties ?? {})).toEqual(['gateway', 'upstream']);
  });

  it('describes every setting, and says of every quantity which one it is', () => {
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter(([, node]) => (node.description ?? '').length < 10).map(([path]) => path)).toEqual([]);
    const quantities = all.filter(([, node]) => JSON.stringify(node).includes('ms|s|min') || JSON.stringify(node).includes('KiB|MiB'));
    const leaves = quantities.filter(([, node]) => node.type === 'string');
    expect(leaves).toHaveLength(65);
    expect(leaves.filter(([, node]) => !/\b(duration|size)\b/.test(node.description ?? '')).map(([path]) => path)).toEqual([]);
  });

  it('refuses unknown keys everywhere', () => {
    const mappings = [schema, ...all.map(([, node]) => node)].filter((node) => node.properties !== undefined);
    expect(mappings.length).toBeGreaterThan(8);
    expect(mappings.filter((node) => node.additionalProperties !== false)).toEqual([]);
  });

  it('describes what is written, not what it becomes', () => {
    expect(schema.properties?.['gateway']?.properties?.['seal']?.properties?.['age']).toMatchObject({ type: 'string', default: '5s' });
  });
});
