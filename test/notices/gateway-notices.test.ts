import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { decisionsFor } from '../../gateway/activation.ts';
import { parseConfig } from '../../gateway/config/load.ts';
import type { GatewayConfig } from '../../gateway/config/schema.ts';
import type { DerivationOverview } from '../../gateway/derive/overview.ts';
import { GatewayNotices } from '../../gateway/gateway-notices.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalgate-notices-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configOf(text: string): GatewayConfig {
  const { gateway } = parseConfig(text, 'c.yaml');
  if (gateway === undefined) throw new Error('no gateway');
  return gateway;
}

const PEOPLE = 'alarms: { people: [{ name: dora, roles: [daughter], email: dora@example.org, phone: "+4915112345678" }, { name: nick }] }';

describe('the notices of a gateway', () => {
  const noticesOf = (more: string, modems?: ConstructorParameters<typeof GatewayNotices>[0]['modems']): GatewayNotices => {
    const config = configOf(`gateway:\n  ${PEOPLE}\n  ${more}\n`);
    return new GatewayNotices({ config, people: config.alarms.people, modems, uptime: () => Millis(0), log: { info: () => undefined, warn: () => undefined } });
  };
  const told = { text: 'help', within: Seconds(20) };

  it.each([
    [{ by: 'email', to: 'dora' }, 'this gateway sends no mail: set notices.email in its configuration'],
    [{ by: 'sms', to: 'dora' }, 'this gateway has no modem: set "modem" of one of its links in the configuration'],
    [{ by: 'buzzer' }, 'this gateway has no buzzer: notices.commands of its configuration names what there is'],
    [{ by: 'command', to: 'lamp' }, 'this gateway has no command "lamp": notices.commands of its configuration names what there is'],
  ] as const)('say what is not set up: %j', async (notice, detail) => {
    const notices = noticesOf('flows: {}');
    expect(await notices.tell({ ...told, ...notice })).toEqual({ outcome: 'failed', detail });
    expect([notices.waysTo('dora'), notices.waysTo('nobody'), notices.programs]).toEqual([[], [], []]);
  });

  it('cut what is too long for short messages, and never through a character', async () => {
    const sent: string[] = [];
    const notices = noticesOf('flows: {}', { isEmpty: false, sendSms: (number, text) => (sent.push(`${number} ${text}`), Promise.resolve({ parts: 8, references: [] })) });
    expect(notices.waysTo('dora')).toEqual(['sms']);
    expect(await notices.tell({ by: 'sms', to: 'dora', within: Seconds(20), text: `x${'🙏'.repeat(400)}` })).toEqual({ outcome: 'handed_over', detail: 'the network has taken it in 8 parts' });
    expect(sent).toEqual([`+4915112345678 x${'🙏'.repeat(227)}...`]);
  });

  it('say nothing of a number that the modem repeats', async () => {
    const notices = noticesOf('flows: {}', { isEmpty: false, sendSms: (number) => Promise.reject(new Error(`${number} is barred`)) });
    expect(await notices.tell({ by: 'sms', to: 'dora', ...told })).toEqual({ outcome: 'failed', detail: '… is barred' });
  });

  it('need the files of the mail server at the start, of a gateway that serves', () => {
    const email = `notices: { email: { host: m.example, user: u, passwordFile: ${join(folder, 'password')}, from: a@b } }`;
    const modems = { isEmpty: true, sendSms: () => Promise.reject(new Error('none')) };
    expect(() => noticesOf(email)).not.toThrow();
    expect(() => noticesOf(email, modems)).toThrow(/^a file of notices\.email cannot be read: ENOENT/);
    writeFileSync(join(folder, 'password'), 'secret\n');
    expect(() => noticesOf(email, modems)).not.toThrow();
  });
});

describe('where people are to be reached', () => {
  it('is written into no frame', () => {
    const config = configOf(`gateway:\n  ${PEOPLE}\n`);
    const nothing = { orders: { contracts: [], patients: [], policy: undefined }, profiles: [] } as unknown as DerivationOverview;
    const decided = decisionsFor(config, nothing);
    expect(JSON.stringify(decided)).toContain('"name":"dora","access":"caregiver","roles":["daughter"]');
    expect(JSON.stringify(decided)).not.toMatch(/example\.org|15112345678|email|phone/);
  });
});
