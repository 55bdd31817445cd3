import { fileURLToPath } from 'node:url';

/** The rule packs that come with Vitalgate (gateway/packs), by name: a configuration may say the name instead of a path. */
export const READY_PACKS = ['starter', 'home-elderly', 'post-surgery', 'copd-home-oxygen', 'heatwave', 'ward-news2'] as const;

/** Where a pack lies that is named in a configuration or a command: a ready one by its name, else the path that was given. Its scenes lie beside it, as `<name>.test.yaml`. */
export function pathOfPack(named: string): string {
  return READY_PACKS.some((each) => each === named) ? fileURLToPath(new URL(`../packs/${named}.yaml`, import.meta.url)) : named;
}
