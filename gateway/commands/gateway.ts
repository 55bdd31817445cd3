import { toHex } from '../ledger/bytes.ts';
import { messageOf } from '../errors.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../gateway.ts';
import { createLog, type Logger } from '../operations/log.ts';
import { START_AGAIN, untilStoppedOrLost, type Arguments, type Command } from './command.ts';
import { CONFIG_OPTIONS, configPath, gatewayConfig } from './settings.ts';

export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'Runs the gateway: takes readings from devices, seals them into blocks, relays the blocks to hospitals.',
  usage: ['gateway [--config FILE] [--data FOLDER]'],
  details:
    'The first run creates the data folder, the keys and the chain, and says where. Ctrl-C stops it cleanly.\n' +
    'SIGHUP, or "vitalgate reload", reads packs, patients, alarms and profiles of the configuration file again.\n' +
    'Exit code 75 asks the supervisor to start it again: after a failed write the store must be opened anew.',
  options: CONFIG_OPTIONS,
  run: async (args, { openGatewayStores, out, signal }) => {
    const config = gatewayConfig(args);
    const log = createLog(config.log.level, 'gateway');
    const gateway = await startGateway({ config, openStores: openGatewayStores, log, serve: true, ...rereading(args) });
    process.on('SIGHUP', () => void reloadOnSignal(gateway, log));
    out(`vitalgate gateway: ${listenersOf(gateway)}, web ${gateway.addresses.web}, chain ${toHex(gateway.chain)}, data ${config.data}`);
    const lost = await untilStoppedOrLost(signal, gateway.storeLost, log);
    await gateway.stop();
    return lost ? START_AGAIN : 0;
  },
};

function listenersOf({ addresses: { mqtt, mqtts, webSocket } }: Gateway): string {
  const listeners = [['MQTT', mqtt], ['MQTT over TLS', mqtts], ['MQTT over WebSocket', webSocket]] as const;
  return listeners.filter(([, address]) => address !== undefined).map(([name, address]) => `${name} ${address}`).join(', ');
}

function rereading(args: Arguments): Pick<GatewayOptions, 'rereadConfig'> {
  return configPath(args) === undefined ? {} : { rereadConfig: () => gatewayConfig(args) };
}

async function reloadOnSignal({ administration }: Gateway, log: Logger): Promise<void> {
  try {
    await administration.reload();
  } catch (error) {
    log.error({ error: messageOf(error) }, 'the configuration was not taken over; what was in force stays so');
  }
}
