import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, UsageError } from '../errors.ts';

/** The folder in a data folder. */
export const NODE_RED_FOLDER = 'nodered';
const FLOWS = 'flows.json';
/** What a copy, and a backup of the gateway, has: the flows, and what nodes keep secret, encrypted. */
export const COPIED = [FLOWS, 'flows_cred.json'] as const;
const DEPLOYED = 'deployed.json';
const HISTORY = 'history';
const INSTALLED = 'node_modules';
/** Copies that are kept: a choice of this project. */
const MOST_COPIES = 100;
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;

/** A dated copy of the flows. `by`: who deployed them; null: nobody knows. */
export type FlowCopy = Readonly<{ copy: string; by: string | null; flows: number; nodes: number; bytes: number }>;

/** The folder of Node-RED: the flows as they are, and a dated copy of them for every deploy. */
export class FlowFiles {
  readonly folder: string;
  readonly #now: () => Date;

  /** Made with mode 0700 when it is not there. */
  constructor(folder: string, now: () => Date) {
    this.folder = folder;
    this.#now = now;
    mkdirSync(join(folder, HISTORY), { recursive: true, mode: 0o700 });
  }

  /** When the flows were written last; undefined while there are none. */
  get writtenAt(): number | undefined {
    return statSync(join(this.folder, FLOWS), { throwIfNoEntry: false })?.mtimeMs;
  }

  /** Keeps the flows as they are, unless the newest copy is the same. Returns the name of the new copy. */
  keep(by: string | null = null): string | undefined {
    const now = this.#contents(this.folder);
    if (now[FLOWS] === undefined) return undefined;
    const newest = this.#names().at(-1);
    if (newest !== undefined && digestOf(this.#contents(this.#pathOf(newest))) === digestOf(now)) return undefined;
    const copy = this.#now().toISOString().replaceAll(':', '-');
    const path = this.#pathOf(copy);
    // Whole or not at all: what is half written has no such name.
    rmSync(`${path}.new`, { recursive: true, force: true });
    mkdirSync(`${path}.new`, { mode: 0o700 });
    for (const [name, content] of Object.entries(now)) writeFileSync(join(`${path}.new`, name), content, { mode: 0o600, flush: true });
    writeFileSync(join(`${path}.new`, DEPLOYED), JSON.stringify({ by }), { mode: 0o600 });
    if (existsSync(path)) return undefined;
    renameSync(`${path}.new`, path);
    for (const old of this.#names().slice(0, -MOST_COPIES)) rmSync(this.#pathOf(old), { recursive: true, force: true });
    return copy;
  }

  /** The newest first. */
  history(): readonly FlowCopy[] {
    return this.#names().reverse().map((copy) => {
      const { [FLOWS]: flows = '' } = this.#contents(this.#pathOf(copy));
      return { copy, by: this.#deployedBy(copy), ...countIn(flows), bytes: Buffer.byteLength(flows) };
    });
  }

  /** What puts the flows of a copy in place of those there are. Throws {@link UsageError} when there is no such copy, {@link ConfigError} when it is damaged. */
  restoration(copy: string): () => void {
    if (!NAME.test(copy) || !existsSync(this.#pathOf(copy))) throw new UsageError(`there is no copy ${JSON.stringify(copy)}; "vitalgate flows history" lists them`);
    const contents = this.#contents(this.#pathOf(copy));
    const { [FLOWS]: flows } = contents;
    if (flows === undefined || !isList(flows)) throw new ConfigError(`the copy ${copy} of the flows is damaged: ${FLOWS} in ${this.#pathOf(copy)} is no list of nodes`);
    return () => {
      for (const name of COPIED) {
        const content = contents[name];
        if (content === undefined) rmSync(join(this.folder, name), { force: true });
        else replace(join(this.folder, name), content);
      }
    };
  }

  #names(): string[] {
    return readdirSync(join(this.folder, HISTORY)).filter((name) => NAME.test(name)).sort();
  }

  #pathOf(copy: string): string {
    return join(this.folder, HISTORY, copy);
  }

  #deployedBy(copy: string): string | null {
    try {
      const { by } = JSON.parse(readFileSync(join(this.#pathOf(copy), DEPLOYED), 'utf8')) as Readonly<{ by?: unknown }>;
      return typeof by === 'string' ? by : null;
    } catch {
      return null;
    }
  }

  #contents(folder: string): Readonly<Partial<Record<(typeof COPIED)[number], string>>> {
    return Object.fromEntries(COPIED.flatMap((name) => (existsSync(join(folder, name)) ? [[name, readFileSync(join(folder, name), 'utf8')]] : [])));
  }
}

/** Files in there, as far as they can be read, that have this name in them as a word of its own; not what was installed. Paths, in order. */
export function filesNaming(folder: string, name: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const word = new RegExp(`(?<![\\w.-])${name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}(?![\\w-])`, 'u');
  return readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => a.name.localeCompare(b.name)).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === INSTALLED ? [] : filesNaming(path, name);
    return entry.isFile() && (word.test(entry.name) || word.test(readFileSync(path, 'utf8'))) ? [path] : [];
  });
}

function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}

const digestOf = (contents: object): string => createHash('sha256').update(JSON.stringify(contents)).digest('hex');

function isList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

/** Flows are tabs of the editor; what is not understood counts as nothing. */
function countIn(text: string): Readonly<{ flows: number; nodes: number }> {
  if (!isList(text)) return { flows: 0, nodes: 0 };
  const nodes = JSON.parse(text) as readonly Readonly<{ type?: string }>[];
  const flows = nodes.filter(({ type }) => type === 'tab').length;
  return { flows, nodes: nodes.length - flows };
}
