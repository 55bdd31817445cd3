/** What happens to links, for tests and benches alike. Each is applied to the link in use, and undone when the house has found its way. */

import type { House } from './house.ts';
import { LINKS, type LabLink } from './laboratory.ts';

export type Trouble = Readonly<{ name: string; begin: (house: House, link: LabLink) => Promise<void>; end: (house: House, link: LabLink) => Promise<void> }>;

const pulled: Trouble = { name: 'cable pulled', begin: ({ lab }, link) => lab.pull(link), end: ({ lab }, link) => lab.pull(link, false) };
const starved: Trouble = { name: 'dead but up', begin: ({ lab }, link) => lab.starve(link), end: ({ lab }, link) => lab.starve(link, false) };

/** The resolver is gone with the link, as it is where the router of the house was both. */
const unresolved: Trouble = {
  name: 'names lost',
  begin: async ({ lab }, link) => {
    lab.resolve(false);
    await lab.pull(link);
  },
  end: async ({ lab }, link) => {
    lab.resolve(true);
    await lab.pull(link, false);
  },
};

/** The gateway starts in a house whose first link takes everything and answers nothing. */
const booted: Trouble = {
  name: 'booted like that',
  begin: async (house, link) => {
    await house.stopGateway();
    await house.lab.starve(link);
    await house.startGateway();
  },
  end: ({ lab }, link) => lab.starve(link, false),
};

export const TROUBLES: readonly Trouble[] = [pulled, starved, unresolved, booted];

/** The link that alarms go over first: the one that is steady, else the first of the configuration. */
async function inUse(house: House): Promise<LabLink> {
  const { paths } = await house.links();
  // After a fail-over the link that came back has to prove itself for two minutes.
  const up = paths.filter(({ state }) => state === 'up').toSorted((one, other) => other.since - one.since);
  return LINKS.find((link) => link === up[0]?.link) ?? 'ethernet';
}

/** One alarm in that trouble: milliseconds from the device's message to the hospital's receipt. */
export async function alarmIn(house: House, trouble: Trouble): Promise<number> {
  const patient = await house.newPatient();
  await house.untilUp(...LINKS);
  const link = trouble.name === booted.name ? 'ethernet' : await inUse(house);
  await trouble.begin(house, link);
  const took = await house.alarm(patient);
  await trouble.end(house, link);
  return took;
}
