import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, visit, type Document } from 'yaml';
import { ConfigError, messageOf } from '../errors.ts';
import { MiB } from '../quantity.ts';
import { tell, type Problem } from './problems.ts';

const LARGEST_FILE = MiB(1);

/** Text of at most 1 MiB in UTF-8; `what` is what messages call the file. Throws {@link ConfigError}. */
export function readText(path: string, what: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > LARGEST_FILE) throw new RangeError('it is larger than 1 MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(`cannot read ${what} ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** A file that could be read, as people see it and as programs do. */
export type YamlFile = Readonly<{ lines: LineCounter; document: Document; content: unknown }>;

/** Reads YAML 1.2. Throws {@link ConfigError} that lists every mistake of the YAML with its line. */
export function readYaml(text: string, name: string): YamlFile {
  const lines = new LineCounter();
  const document = readDocument(text, name, lines);
  return { lines, document, content: contentOf(document, name) };
}

function readDocument(text: string, name: string, lineCounter: LineCounter): Document {
  const document = parseYaml(text, name, lineCounter);
  const mistakes: Problem[] = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ offset: pos[0], message }));
  visit(document, {
    // Nothing here needs them, and they are how a small file becomes an endless one.
    Alias: (_, { range, source }) => {
      mistakes.push({ offset: range?.[0] ?? 0, message: `aliases such as *${source} are not supported` });
    },
  });
  if (mistakes.length > 0) throw new ConfigError(tell(name, lineCounter, mistakes));
  return document;
}

function parseYaml(text: string, name: string, lineCounter: LineCounter): Document {
  try {
    return parseDocument(text, { version: '1.2', schema: 'core', prettyErrors: false, logLevel: 'error', lineCounter });
  } catch (cause) {
    throw new ConfigError(`${name} cannot be read as YAML: ${messageOf(cause)}`, { cause });
  }
}

/** The file as plain values. An empty file is an empty mapping, and a key with nothing behind it was not given. */
function contentOf(document: Document, name: string): unknown {
  try {
    return withoutNothing(document.toJS()) ?? {};
  } catch (cause) {
    throw new ConfigError(`${name} cannot be read as YAML: ${messageOf(cause)}`, { cause });
  }
}

function withoutNothing(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNothing(inner)]));
}
