/**
 * Turns what is wrong with a configuration file into lines a person can act on: where, what was expected, what was
 * found, and for a mistyped name the nearest known one.
 *
 *     vitalgate.yaml:12:3: unknown key 'hospitls' at line 12; did you mean 'hospitals'?
 *     vitalgate.yaml:14:11: gateway.seal.age: expected a duration from … such as "30s", got the number 5
 */

import { isCollection, isMap, isNode, isScalar, type Document, type LineCounter, type Node, type Pair } from 'yaml';
import { nearest } from './nearest.ts';
import type { z } from 'zod';

type Path = readonly PropertyKey[];
/** What zod found wrong, untranslated. */
export type SchemaIssue = z.core.$ZodIssue;
/** A file, and the JSON Schema of what may stand in it. */
export type JudgedFile = Readonly<{ document: Document; schema: object }>;
/** Offset into the text, in UTF-16 units. */
export type Problem = Readonly<{ offset: number; message: string }>;

/** The problems as lines `name:line:column: message`, in the order of the file, each once. */
export function tell(name: string, lines: LineCounter, problems: readonly Problem[]): string {
  const told = [...problems].sort((a, b) => a.offset - b.offset).map(({ offset, message }) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}: ${message.replaceAll('{line}', String(line))}`;
  });
  const once = [...new Set(told)];
  return `${name} has ${once.length === 1 ? 'a problem' : `${once.length} problems`}:\n${once.map((each) => `  ${each}`).join('\n')}`;
}

/** The problem or problems behind one issue of the schema. */
export function problemsOf(issue: SchemaIssue, file: JudgedFile, above: Path = []): Problem[] {
  const { document } = file;
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, file));
  if (issue.code === 'invalid_union') {
    const rightShape = issue.errors.find((branch) => branch.every((inner) => inner.path.length > 0));
    if (rightShape !== undefined) return rightShape.flatMap((inner) => problemsOf(inner, file, path));
  }
  return [problemAt(path, describe(issue), document)];
}

/** A problem at a place of the file; at the nearest enclosing place where the file has nothing there. */
export function problemAt(path: Path, message: string, document: Document): Problem {
  return { offset: locate(path, document), message: path.length === 0 ? message : `${spell(path)}: ${message}` };
}

function unknownKey(key: string, path: Path, { document, schema }: JudgedFile): Problem {
  const known = knownKeys(path, schema);
  const meant = nearest(key, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean '${meant}'?`;
  return { offset: locate([...path, key], document, 'key'), message: `unknown key '${key}' at line {line}; ${hint}` };
}

function describe(issue: SchemaIssue): string {
  const message = issue.code === 'invalid_type' && issue.expected === 'object' ? 'expected a mapping of settings' : issue.message;
  if (issue.code === 'custom' && issue.params?.['relation'] === true) return message;
  if (issue.input === undefined) return `missing; ${message}`;
  const because: unknown = issue.code === 'custom' ? issue.params?.['because'] : undefined;
  const reason = typeof because === 'string' && because !== '' ? ` (${because})` : '';
  return `${message}, got ${show(issue.input)}${reason}`;
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shortened(withoutPassword(value)));
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value === 'number' ? 'number' : 'word'} ${value}`;
  if (value === null) return 'nothing';
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** What stands in front of the host of a URL is nobody's business. */
const withoutPassword = (text: string): string => text.replace(/:\/\/.*@/s, '://…@');

/** `gateway.hospitals[0].url` */
function spell(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`)).join('');
}

/** Where the value stands, or its key when that is wanted or the value is a mapping or nothing; else where its parent stands. */
function locate(path: Path, document: Document, wanted: 'key' | 'value' = 'value'): number {
  const last = path.at(-1);
  if (last === undefined) return startOf(document.contents);
  const parent = nodeAt(path.slice(0, -1), document);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(last));
    if (pair !== undefined) return startOfPair(pair, wanted);
  } else if (isCollection(parent) && typeof last === 'number') {
    const item = parent.items[last];
    if (isNode(item)) return startOf(item);
  }
  return locate(path.slice(0, -1), document);
}

function nodeAt(path: Path, document: Document): unknown {
  return path.length === 0 ? document.contents : document.getIn(path.map((step) => (typeof step === 'number' ? step : String(step))), true);
}

const startOf = (node: Node | null): number => node?.range?.[0] ?? 0;

function startOfPair(pair: Pair, wanted: 'key' | 'value'): number {
  if (wanted === 'value' && isScalar(pair.value) && pair.value.value !== null) return startOf(pair.value);
  return isNode(pair.key) ? startOf(pair.key) : 0;
}

type SchemaNode = Readonly<{ properties?: Readonly<Record<string, unknown>>; items?: unknown; anyOf?: readonly unknown[] }>;

/** The keys the schema knows at a place, as its JSON Schema says. */
function knownKeys(path: Path, schema: object): string[] {
  let node: SchemaNode = schema;
  for (const step of path) {
    const next = typeof step === 'number' ? node.items : node.properties?.[String(step)];
    node = next ?? {};
  }
  return Object.keys(node.properties ?? {});
}
