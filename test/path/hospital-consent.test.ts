import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Disclosure } from '../../gateway/disclosures.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { OutputRecipient } from '../../gateway/records/output-gate.ts';
import type { HospitalRecord, RecordKind } from '../../gateway/records/record.ts';
import type { OpenedRelease } from '../../gateway/released.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import type { Answered, Asked } from './outputs-process.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

/** A hospital node with an output. */
class Outputs {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answered: Answered) => void>();
  #asked = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on('message', (answered: Answered | 'ready') => {
      if (answered !== 'ready') this.#waiting.get(answered.id)?.(answered);
    });
  }

  static async start(data: string, port: number): Promise<Outputs> {
    const child = fork(join(import.meta.dirname, 'outputs-process.ts'), [data, String(port)], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], serialization: 'json' });
    const outputs = new Outputs(child);
    await Promise.race([once(child, 'message'), once(child, 'exit').then(() => { throw new Error('the hospital ended before it was ready'); })]);
    return outputs;
  }

  async show(recipient: OutputRecipient, records: readonly HospitalRecord[]): Promise<readonly HospitalRecord[]> {
    const id = ++this.#asked;
    const answered = new Promise<Answered>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, recipient, records } satisfies Asked);
    const answer = await answered;
    if ('failed' in answer) throw new Error(answer.failed);
    return answer.shown;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

const recordOf = ({ subject, pseudonym, lane, entry, kind, time, whole, payload }: OpenedRelease, chain: string): HospitalRecord => ({
  number: entry, arrived: UnixMillis(Date.parse(time)), chain, lane, height: 1, blockHash: '0'.repeat(64), entry, kind: kind as RecordKind, time: UnixMillis(Date.parse(time)),
  subject: { kind: subject, person: pseudonym }, whole, payload: payload as HospitalRecord['payload'],
});

describe('consent at a hospital, told by a gateway', () => {
  let site: Site;
  let outputs: Outputs;
  let clip: DeviceWithPassword;
  let alarm: HospitalRecord;
  let sent = 0;

  const run = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await vitalgate(...words, '--config', site.config);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    return stdout;
  };
  const keyFile = (): string => join(site.folder, 'anna.key');
  const startOutputs = async (): Promise<void> => void (outputs = await Outputs.start(site.hospitalData, site.ports.hospital));
  const asking = (id: string, differing: Partial<OutputRecipient> = {}): OutputRecipient => ({ id, role: 'clinician', purpose: 'TREAT', by: 'fhir read', ...differing });

  async function measure(value: number): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: clip.device, username: clip.device, password: clip.password });
    expect(await client.publish({ topic: clip.topic, payload: JSON.stringify({ seq: ++sent, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
  }

  async function shownThere(): Promise<readonly Disclosure[]> {
    return (JSON.parse(await run('disclosures', '--patient', 'anna', '--json')) as readonly Disclosure[]).filter(({ recipient }) => recipient.startsWith('north/'));
  }

  beforeAll(async () => {
    site = await Site.prepare();
    const key = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(site.sections(key, { gateway: { alarms: { people: [{ name: 'cho', access: 'clinician' }] }, hospitals: [{ name: 'north', url: site.hospitalUrl, key, payloads: 'summary' }] } }));
    await startOutputs();
    await site.startGateway();
    clip = await site.addDevice('clip', 'anna');
    const publicKey = /^public key +(\w+)$/m.exec((await vitalgate('consent', 'keygen', '--key', keyFile())).stdout)?.[1] ?? '';
    await run('consent', 'enrol', '--patient', 'anna', '--public-key', publicKey, '--who', 'patient', '--name', 'Anna herself', '--by', 'cho');
    await measure(80);
    const { chain } = await site.settled();
    alarm = await until('her alarm is there', async () => {
      const { stdout } = await vitalgate('released', '--data', site.hospitalData);
      const found = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as OpenedRelease).find(({ payload }) => (payload as { why?: string }).why === 'raised');
      return found && recordOf(found, chain);
    });
  });
  afterAll(async () => {
    await outputs.kill();
    await site[Symbol.asyncDispose]();
  });

  it('shows what the deployment permits where she said nothing, and what for', async () => {
    const [shown] = await until('the hospital knows of her', async () => {
      const all = await outputs.show(asking('dr-lee'), [alarm]);
      return all.length > 0 && all;
    });
    expect(shown).toEqual(alarm);
    expect(await outputs.show(asking('dr-lee', { purpose: 'HRESCH' }), [alarm])).toEqual([]);
    expect(await outputs.show(asking('dr-lee'), [{ ...alarm, subject: { kind: 'patient', person: 'ab'.repeat(16) } }])).toEqual([]);
  });

  it('shows less as soon as she says so, though nothing else is on its way, and tells her who saw it before', async () => {
    await run('consent', 'deny', '--patient', 'anna', '--key', keyFile(), '--what', 'spo2', '--hospital', 'north', '--submit');
    const cut = await until('the denial is there', async () => {
      const [shown] = await outputs.show(asking('dr-lee'), [alarm]);
      return shown?.whole === false && shown;
    });
    expect(cut.payload).toEqual({ alarm: expect.any(Number) as number, why: 'raised', from: 'none', to: expect.any(String) as string, kind: 'physiological', priority: 'high' });
    const told = await until('what was shown is in her account', async () => {
      const found = await shownThere();
      return found.length > 0 && found;
    });
    expect(told[0]).toMatchObject({ recipient: 'north/dr-lee', role: 'clinician', what: 'fhir read', purpose: 'TREAT', times: 1, consents: ['0'.repeat(64)], at: expect.any(Number) as number, note: expect.any(String) as string });
  });

  it('holds on through kill -9 of both, and each disclosure comes once', async () => {
    const names = Array.from({ length: 6 }, (_, index) => `nurse-${index}`);
    for (const [index, name] of names.entries()) {
      expect((await outputs.show(asking(name, { role: 'caregiver' }), [alarm])).map(({ whole }) => whole)).toEqual([false]);
      if (index % 3 === 1) {
        // Something to say to the hospital, so that it answers that there are notes.
        await run('consent', 'deny', '--patient', 'anna', '--key', keyFile(), '--what', index === 1 ? 'glucose' : 'body_weight', '--hospital', 'north', '--submit');
        await site.gateway.kill();
        await site.startGateway();
      }
      if (index % 3 === 2) {
        await outputs.kill();
        await startOutputs();
      }
    }
    await run('consent', 'deny', '--patient', 'anna', '--key', keyFile(), '--what', 'physiological_alarm', '--hospital', 'north', '--submit');
    await until('nothing of it is shown any more', async () => (await outputs.show(asking('dr-lee'), [alarm])).length === 0);
    await outputs.kill();
    await startOutputs();
    expect(await outputs.show(asking('dr-lee'), [alarm])).toEqual([]);
    const all = await until('all of it is in her account', async () => {
      const found = await shownThere();
      return names.every((name) => found.some(({ recipient }) => recipient === `north/${name}`)) && found;
    });
    for (const name of names) expect([name, all.filter(({ recipient }) => recipient === `north/${name}`)]).toEqual([name, [expect.objectContaining({ times: 1, what: 'fhir read', consents: [expect.stringMatching(/^[0-9a-f]{64}$/)] })]]);
    expect((await vitalgate('verify', 'chain', site.gatewayData)).code).toBe(0);
  });

  it('is forgotten there with her', async () => {
    const technical = { ...alarm, payload: { alarm: 1, why: 'raised', kind: 'technical', priority: 'low' } };
    expect(await outputs.show(asking('dr-lee'), [technical])).toHaveLength(1);
    await run('erase', '--patient', 'anna', '--yes');
    await until('what she permits is gone there', async () => (await outputs.show(asking('dr-lee'), [technical])).length === 0);
  });
});
