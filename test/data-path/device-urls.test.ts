import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../gateway/config/load.ts';
import type { GatewayConfig } from '../../gateway/config/schema.ts';
import { deviceUrls, machineNames } from '../../gateway/device-urls.ts';

function mqtt(text: string): GatewayConfig['mqtt'] {
  const { gateway } = parseConfig(`gateway: { mqtt: { ${text} } }`, 'test');
  return gateway?.mqtt ?? expect.fail('there is a gateway section');
}

const MACHINE = ['house', 'house.local', 'localhost', '192.0.2.7'];
const urls = (text: string, bound = {}): readonly string[] => deviceUrls(mqtt(text), mqtt(text).tls?.names ?? MACHINE, bound);

describe('the addresses a device is told', () => {
  it('are those of all listeners, the most private first', () => {
    expect(urls('listen: "0.0.0.0:1883", tls: { listen: "0.0.0.0:8883" }, webSocket: { listen: "[::]:8884", tls: true }')).toEqual([
      'mqtts://house:8883', 'wss://house:8884/mqtt', 'mqtt://house:1883',
    ]);
    expect(urls('listen: none, webSocket: { listen: "0.0.0.0:8083" }')).toEqual(['ws://house:8083/mqtt']);
  });

  it('name the gateway as it was configured, where it listens on every address and wherever its certificate is shown', () => {
    const all = 'tls: { listen: "192.0.2.9:8883", names: [gateway.example, 192.0.2.9] }, webSocket: { listen: "0.0.0.0:8083" }';
    expect(urls(`listen: "0.0.0.0:1883", ${all}`)).toEqual(['mqtts://gateway.example:8883', 'mqtt://gateway.example:1883', 'ws://gateway.example:8083/mqtt']);
    expect(urls(`listen: "127.0.0.1:1883", ${all}`)).toContain('mqtt://127.0.0.1:1883');
    expect(urls('tls: { listen: "0.0.0.0:8883", names: ["fd00::7"] }, listen: none')).toEqual(['mqtts://[fd00::7]:8883']);
  });

  it('are those that listen, where nobody gave it names', () => {
    expect(urls('listen: "192.0.2.9:1883", tls: { listen: "127.0.0.1:8883" }')).toEqual(['mqtts://localhost:8883', 'mqtt://192.0.2.9:1883']);
    expect(urls('listen: "[::1]:1883"')).toEqual(['mqtt://[::1]:1883']);
  });

  it('have the port that was taken, and are left out while none is', () => {
    expect(urls('listen: "127.0.0.1:0"', { tcp: { port: 4711 } })).toEqual(['mqtt://127.0.0.1:4711']);
    expect(urls('listen: "127.0.0.1:0"')).toEqual([]);
  });
});

describe('the names of a machine', () => {
  it('are its host name, that with .local, localhost and the addresses it is reached by', () => {
    const interfaces = {
      lo: [{ address: '127.0.0.1', internal: true }, { address: '::1', internal: true }],
      eth0: [{ address: '192.0.2.7', internal: false }, { address: 'fd00::7', internal: false }, { address: 'fe80::1', internal: false }],
    };
    expect(machineNames('house', interfaces)).toEqual(['house', 'house.local', 'localhost', '192.0.2.7', 'fd00::7', '127.0.0.1', '::1']);
    expect(machineNames('house.example', {})).toEqual(['house.example', 'localhost', '127.0.0.1', '::1']);
    expect(machineNames('localhost.local', { eth0: [{ address: '192.0.2.7', internal: false }] })).toContain('192.0.2.7');
  });
});
