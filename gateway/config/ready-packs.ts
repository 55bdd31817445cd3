import { fileURLToPath } from 'node:url';

/** The rule packs that come with Vitalgate (gateway/packs), by name: a configuration may say the name instead of a path. */
export const READY_PACKS = ['starter', 'home-elderly', 'post-surgery', 'copd-home-oxygen', 'heatwave', 'ward-news2'] as const;

/** Where the pack of that name lies; undefined when there is none. Its scenes lie beside it, as `<name>.test.yaml`. */
export function readyPackPath(name: string): string | undefined {
  return READY_PACKS.some((each) => each === name) ? fileURLToPath(new URL(`../packs/${name}.yaml`, import.meta.url)) : undefined;
}
