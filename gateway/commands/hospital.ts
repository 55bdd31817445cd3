import { openHospitalPeople, hospitalSocketIn, STAFF_WORDS, tokenApiOf } from '../hospital-staff.ts';
import { openDataFolder } from '../operations/data-folder.ts';
import { controlAnswers } from '../web/control.ts';
import { tokenClient } from '../web/control-tokens.ts';
import type { Arguments, Environment } from './command.ts';
import { upstreamConfig } from './settings.ts';
import { doTokenAction, type AskTokens, type TokenAction } from './token-words.ts';

/** Makes, lists or ends tokens of the staff: with the node that runs on the data folder or, when none runs, in the folder itself. */
export async function hospitalTokens(action: TokenAction, args: Arguments, environment: Environment): Promise<number> {
  const ask: AskTokens = async (work) => {
    // Whose blocks are taken is not asked here.
    const config = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
    const socket = hospitalSocketIn(config.data);
    if (await controlAnswers(socket)) return await work(tokenClient(socket));
    openDataFolder(config.data);
    const stores = await environment.openBlocks(config.data, { readOnly: false, store: config.store, durability: config.durability });
    try {
      return await work(tokenApiOf(await openHospitalPeople(stores.tokens, config.people)));
    } finally {
      await stores.close();
    }
  };
  return await doTokenAction(action, args.positionals[1], args, environment, ask, STAFF_WORDS);
}
