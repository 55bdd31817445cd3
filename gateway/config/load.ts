import { ConfigError } from '../errors.ts';
import { unknownThings, type Known } from './measurements.ts';
import { problemAt, problemsOf, tell, type Problem } from './problems.ts';
import { jsonSchema, judge, type Config, type GatewayConfig } from './schema.ts';
import { readText, readYaml } from './yaml-file.ts';

export type ConfigOptions = Readonly<{
  /** What profiles may name. Default: nothing, they are compared with no table. */
  known?: Known;
}>;

/**
 * Reads and judges a configuration file. Throws {@link ConfigError} when it cannot be read, and otherwise as
 * {@link parseConfig}.
 */
export function loadConfig(path: string, options: ConfigOptions = {}): Config {
  return parseConfig(readText(path, 'the configuration file'), path, options);
}

/**
 * Judges the text of a configuration file; `name` is what messages call it. The result has every default filled in and
 * MUST NOT be changed. Throws one {@link ConfigError} whose message lists every problem of the file, a line each, as
 * `name:line:column: what was expected and what was found`. YAML that cannot be read at all hides what comes after it, so
 * then only the mistakes of the YAML are listed.
 */
export function parseConfig(text: string, name: string, options: ConfigOptions = {}): Config {
  const { lines, document, content } = readYaml(text, name);
  const verdict = judge(content);
  const problems: Problem[] = 'issues' in verdict ? verdict.issues.flatMap((issue) => problemsOf(issue, { document, schema: jsonSchema() })) : [];
  for (const { path, message } of unknownThings(content, options.known)) problems.push(problemAt(path, message, document));
  if ('issues' in verdict || problems.length > 0) throw new ConfigError(tell(name, lines, problems));
  return verdict.config;
}

/** What a gateway does that has no configuration file. */
export const defaultGatewayConfig: GatewayConfig = defaults();

function defaults(): GatewayConfig {
  const { gateway } = parseConfig('gateway: {}', 'the defaults');
  if (gateway === undefined) throw new ConfigError('the defaults have no gateway section');
  return gateway;
}
