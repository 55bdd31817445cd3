import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../packs/', import.meta.url);
const ENDING = '.yaml';

/** Names of the rule packs that come with the gateway, in alphabetical order. */
function readyPacks(): readonly string[] {
  return readdirSync(FOLDER).filter((file) => file.endsWith(ENDING) && !file.endsWith(`.test${ENDING}`)).map((file) => file.slice(0, -ENDING.length)).sort();
}

/** Where a pack lies that is named in a configuration or a command: a ready one by its name, else the path that was given. */
export const pathOfPack = (named: string): string => (readyPacks().includes(named) ? fileURLToPath(new URL(`${named}${ENDING}`, FOLDER)) : named);
