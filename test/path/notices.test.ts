import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinksReport } from '../../gateway/administration.ts';
import { MailSink } from '../../firmware-sim/mail-sink.ts';
import { issueServerCertificate, makeAuthority } from '../../gateway/tls/certificate-issue.ts';
import { until, vitalgate, type Program } from './program.ts';
import { SerialCable } from './serial-cable.ts';
import { Site } from './site.ts';

const random = (size: number): Uint8Array => randomBytes(size);
const DORA = { email: 'dora.private@example.org', phone: '+4915112345678' };
const LOGIN = { user: 'gateway', password: 'pass word' };

type Answer = Readonly<{ status: number; json: Readonly<Record<string, unknown>> }>;

describe('what flows have told', () => {
  let site: Site;
  let cable: SerialCable;
  let sink: MailSink;
  let modem: Program;
  let bell = '';
  const tokens = new Map<string, string>();

  const configFor = (hospital: string, dora: object = DORA): object => site.sections(hospital, {
    gateway: {
      alarms: { people: [{ name: 'flo' }, { name: 'vera', access: 'viewer' }, { name: 'dora', roles: ['daughter'], ...dora }, { name: 'nick' }] },
      links: [{ name: '5g', address: '127.0.0.1', metered: true, modem: { port: cable.path } }],
      notices: {
        email: { host: '127.0.0.1', port: sink.port, caFile: join(site.folder, 'ca.pem'), user: LOGIN.user, passwordFile: join(site.folder, 'password'), from: 'vitalgate@example.org' },
        commands: [
          { name: 'bell', kind: 'buzzer', run: ['/bin/sh', '-c', `printf '%s\\n' "$VITALGATE_TEXT" >> ${bell}`] },
          { name: 'lamp', run: ['/bin/sh', '-c', 'echo no lamp >&2; exit 4'] },
          { name: 'slow', run: ['/bin/sleep', '60'], within: '500ms' },
        ],
      },
    },
  });

  beforeAll(async () => {
    site = await Site.prepare();
    bell = join(site.folder, 'bell');
    const authority = await makeAuthority(random);
    writeFileSync(join(site.folder, 'ca.pem'), authority.certificate);
    writeFileSync(join(site.folder, 'password'), `${LOGIN.password}\n`);
    sink = await MailSink.open({ tls: await issueServerCertificate(authority, ['127.0.0.1'], random), login: LOGIN });
    cable = new SerialCable(site.folder, 'modem');
    await cable.lay();
    const hospital = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(configFor(hospital));
    for (const name of ['flo', 'vera']) tokens.set(name, (JSON.parse((await vitalgate('person', 'token', name, '--json', '--config', site.config)).stdout) as { secret: string }).secret);
    modem = site.launch('sim', '--modem', 'quectel', '--serial', cable.deviceEnd, '--story', '0s:lte', '--sms-errors', '0,0,0,50');
    await Promise.all([site.startHospital(), site.startGateway()]);
    await until('the modem is connected', async () => ((JSON.parse((await vitalgate('links', '--config', site.config, '--json')).stdout) as LinksReport).modems[0]?.state === 'connected'));
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await cable[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  const call = async (who: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(`${site.webUrl}/api/flows${path}`, { headers: { authorization: `Bearer ${tokens.get(who)}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) });
    return { status: response.status, json: (await response.json()) as Answer['json'] };
  };
  const tell = async (body: object, who = 'flo'): Promise<Answer> => await call(who, '/asks', { ask: 'tell', ...body });
  const result = (outcome: string, detail: string): object => ({ status: 200, json: { result: { outcome, detail: expect.stringContaining(detail) as unknown } } });

  it('goes by mail, once for the same ask, to an address that nobody but the gateway knows', async () => {
    const ask = { id: 'n1 alarm-4', by: 'email', to: 'dora', title: 'Sturz', text: 'Frau Müller ist gestürzt.' };
    const answers = [await tell(ask), await tell(ask)];
    for (const answer of answers) expect(answer).toMatchObject(result('handed_over', 'the mail server says 250 2.0.0 taken as 1'));
    expect(sink.mails).toMatchObject([{ to: [DORA.email], subject: 'Sturz', text: 'Frau Müller ist gestürzt.', isSafe: true, user: 'gateway' }]);
    expect(JSON.stringify(answers)).not.toContain(DORA.email);
  });

  it('goes as short messages through the modem, in parts, and fails in the words of the network', async () => {
    expect(await tell({ by: 'sms', to: 'dora', text: 'Frau Müller ist gestürzt. 🙏' })).toMatchObject(result('handed_over', 'the network has taken it, reference 17'));
    expect(await tell({ by: 'sms', to: 'dora', text: 'She has fallen. '.repeat(16) })).toMatchObject(result('handed_over', 'the network has taken it in 2 parts, reference 18, 19'));
    await until('both came', () => [...modem.stderr.matchAll(/^.*message to .*$/gm)].length === 2);
    expect(modem.stderr).toContain(`message to ${DORA.phone}: "Frau Müller ist gestürzt. 🙏"`);
    expect(modem.stderr).toContain(`message to ${DORA.phone}: "${'She has fallen. '.repeat(16)}"`);
    const failed = await tell({ id: 'again', by: 'sms', to: 'dora', text: 'help' });
    expect(failed).toMatchObject(result('failed', '+CMS ERROR: 50 (the contract of this SIM has no short messages)'));
    // What failed may be tried once more.
    expect(await tell({ id: 'again', by: 'sms', to: 'dora', text: 'help' })).toMatchObject(result('handed_over', 'reference 20'));
  });

  it('rings a buzzer and runs a command of the configuration, and no other one', async () => {
    expect(await tell({ by: 'buzzer', text: '$(reboot) "help"' })).toMatchObject(result('handed_over', 'ended well'));
    expect(readFileSync(bell, 'utf8')).toBe('$(reboot) "help"\n');
    expect(await tell({ by: 'command', to: 'lamp', text: 'on' })).toMatchObject(result('failed', 'ended with exit code 4: no lamp'));
    expect(await tell({ by: 'command', to: 'slow', text: 'on' })).toMatchObject(result('failed', 'was killed after its time'));
    expect(await tell({ by: 'command', to: 'reboot', text: 'now' })).toMatchObject({ status: 404, json: { error: 'unknown_command', message: 'there is no command "reboot" in notices.commands of the configuration: there are lamp, slow' } });
    expect(await tell({ by: 'command', to: 'bell', text: 'now' })).toMatchObject({ status: 404, json: { error: 'unknown_command' } });
  });

  it('is refused to those who only look, and for whom nobody knows; who cannot be reached is a result', async () => {
    expect(await tell({ by: 'buzzer', text: 'help' }, 'vera')).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    expect(await tell({ by: 'email', to: 'eve', text: 'help' })).toMatchObject({ status: 404, json: { error: 'unknown_person' } });
    expect(await tell({ by: 'sms', text: 'help' })).toMatchObject({ status: 404, json: { error: 'unknown_person' } });
    expect(await tell({ by: 'email', to: 'nick', text: 'help' })).toMatchObject(result('failed', 'nick has no mail address: set "email" of this person in alarms.people'));
    expect(await tell({ by: 'sms', to: 'nick', text: 'help' })).toMatchObject(result('failed', 'nick has no telephone number: set "phone"'));
  });

  it('shows nothing in the name of somebody else to programs that are no part of the gateway', async () => {
    expect(await call('flo', '/asks', { ask: 'context', subject: { kind: 'patient', id: 'anna' }, viewer: 'dora' })).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
  });

  it('can be chosen from lists that say by what somebody can be reached, and not where', async () => {
    const { json } = await call('flo', '/lists');
    expect(json).toMatchObject({
      people: [{ name: 'flo', ways: [] }, { name: 'vera' }, { name: 'dora', roles: ['daughter'], ways: ['email', 'sms'] }, { name: 'nick', ways: [] }],
      commands: [{ name: 'bell', kind: 'buzzer' }, { name: 'lamp', kind: 'command' }, { name: 'slow', kind: 'command' }],
    });
    expect(JSON.stringify(json)).not.toMatch(/example\.org|15112345678/);
  });

  it('keeps addresses and numbers out of everything that is written down, and takes over others without a restart', async () => {
    const hospital = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(configFor(hospital, { email: 'dora.new@example.org' }));
    expect((await vitalgate('reload', '--config', site.config)).code).toBe(0);
    expect(await tell({ by: 'sms', to: 'dora', text: 'help' })).toMatchObject(result('failed', 'dora has no telephone number'));
    expect(await tell({ by: 'email', to: 'dora', text: 'help' })).toMatchObject(result('handed_over', 'taken as 2'));
    expect(sink.mails.at(-1)?.to).toEqual(['dora.new@example.org']);
    await site.stopAll();
    const files = readdirSync(site.gatewayData, { recursive: true, encoding: 'utf8' }).map((name) => join(site.gatewayData, name)).filter((path) => statSync(path).isFile());
    const written = files.filter((path) => /dora\.(private|new)@|15112345678/.test(readFileSync(path, 'latin1')));
    expect(written).toEqual([]);
    expect(site.gateway.stderr).not.toMatch(/dora\.(private|new)@|15112345678|pass word/);
  });
});
