import { startGateway, controlSocketOf } from '../gateway.ts';
import { createLog } from '../operations/log.ts';
import { controlAnswers, controlClient, type AdministrationApi } from '../web/control.ts';
import type { Arguments, Environment } from './command.ts';
import { gatewayConfig } from './settings.ts';

/** Does something with the gateway that runs on the data folder or, when none runs, with the folder itself. */
export async function administer<T>(args: Arguments, environment: Environment, work: (api: AdministrationApi) => Promise<T>): Promise<T> {
  const config = gatewayConfig(args);
  const socket = controlSocketOf(config.data);
  if (await controlAnswers(socket)) return await work(controlClient(socket));
  const log = createLog('warn', 'vitalgate');
  const gateway = await startGateway({ config, openStores: environment.openGatewayStores, log, serve: false });
  try {
    return await work(gateway.administration);
  } finally {
    await gateway.stop();
  }
}
