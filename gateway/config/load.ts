import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, visit, type Document } from 'yaml';
import { ConfigError, messageOf } from '../errors.ts';
import { MiB } from '../quantity.ts';
import { unknownThings, type Known } from './measurements.ts';
import { problemAt, problemsOf, tell, type Problem } from './problems.ts';
import { judge, type Config, type GatewayConfig } from './schema.ts';

const LARGEST_FILE = MiB(1);

export type ConfigOptions = Readonly<{
  /** What rules and profiles may name. Default: nothing, they are compared with no table. */
  known?: Known;
}>;

/**
 * Reads and judges a configuration file. Throws {@link ConfigError} when it cannot be read, and otherwise as
 * {@link parseConfig}.
 */
export function loadConfig(path: string, options: ConfigOptions = {}): Config {
  return parseConfig(readText(path), path, options);
}

/**
 * Judges the text of a configuration file; `name` is what messages call it. The result has every default filled in and
 * MUST NOT be changed. Throws one {@link ConfigError} whose message lists every problem of the file, a line each, as
 * `name:line:column: what was expected and what was found`. YAML that cannot be read at all hides what comes after it, so
 * then only the mistakes of the YAML are listed.
 */
export function parseConfig(text: string, name: string, options: ConfigOptions = {}): Config {
  const lines = new LineCounter();
  const document = readYaml(text, name, lines);
  const content = contentOf(document, name);
  const verdict = judge(content);
  const problems: Problem[] = 'issues' in verdict ? verdict.issues.flatMap((issue) => problemsOf(issue, document)) : [];
  for (const { path, message } of unknownThings(content, options.known)) problems.push(problemAt(path, message, document));
  if ('issues' in verdict || problems.length > 0) throw new ConfigError(tell(name, lines, problems));
  return verdict.config;
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > LARGEST_FILE) throw new RangeError('it is larger than 1 MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(`cannot read the configuration file ${path}: ${messageOf(cause)}`, { cause });
  }
}

function readYaml(text: string, name: string, lineCounter: LineCounter): Document {
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

/** What a gateway does that has no configuration file. */
export const defaultGatewayConfig: GatewayConfig = defaults();

function defaults(): GatewayConfig {
  const { gateway } = parseConfig('gateway: {}', 'the defaults');
  if (gateway === undefined) throw new ConfigError('the defaults have no gateway section');
  return gateway;
}
