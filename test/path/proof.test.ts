import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

describe('a proof for somebody who has nothing but two files', () => {
  let site: Site;
  let path: (name: string) => string;
  let frame: number;
  beforeAll(async () => {
    site = await Site.running();
    path = (name) => join(site.folder, name);
    const device = await site.addDevice('clip', 'anna');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: 'clip', password: device.password });
    for (const seq of [1, 2, 3]) {
      await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'heart_rate', value: 70 + seq, unit: '/min' }) });
    }
    await site.settled();
    frame = (await site.api.trace('clip' as never)).accepted.sequence;
    await prove('policy', '--out', path('hospital.policy'));
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const prove = (...words: readonly string[]): ReturnType<typeof vitalgate> => vitalgate('prove', ...words, '--config', site.config);
  const verify = (file: string, policy = path('hospital.policy')): ReturnType<typeof vitalgate> => vitalgate('verify', 'proof', file, '--policy', policy);

  it('shows that a raw message is in the chain, and what it says', async () => {
    await until('it is countersigned', async () => (await site.api.prove({ what: 'frame', number: frame })).countersigned.length === 1);
    const made = await prove('frame', String(frame), '--out', path('frame.tlog-proof'));
    expect([made.code, made.stderr]).toEqual([0, expect.stringMatching(/^frame \d+ in entry \d+, lane record, checkpoint of block \d+, countersigned by north\n$/)]);
    const { code, stdout } = await verify(path('frame.tlog-proof'));
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^good: raw message ${frame} is in vitalgate/[0-9a-f]{32}/record, countersigned by north\n`))]);
    expect(stdout).toContain('"value":73');
    expect(stdout).toContain('from clip on devices/clip/readings');
  });

  it('shows that an entry is in the chain, also while no gateway runs', async () => {
    await site.gateway.stop();
    expect((await prove('entry', '1', '--out', path('entry.tlog-proof'))).code).toBe(0);
    await site.startGateway();
    expect((await verify(path('entry.tlog-proof'))).stdout).toMatch(/^good: entry 1 \(\w+\) is in vitalgate\//);
    const other = path('other.entry');
    writeFileSync(other, 'another');
    expect(await vitalgate('verify', 'proof', path('entry.tlog-proof'), '--policy', path('hospital.policy'), '--entry', other)).toMatchObject({ code: 1, stdout: expect.stringContaining('another entry') as string });
  });

  it('is bad when anything in it was changed, and when the policy believes others', async () => {
    const [proof, policy] = [readFileSync(path('frame.tlog-proof'), 'utf8'), readFileSync(path('hospital.policy'), 'utf8')];
    const lines = proof.split('\n');
    for (const [i, line] of lines.entries()) {
      if (line.length < 8 || line.startsWith('c2sp')) continue;
      const changed = lines.with(i, line.replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, (letter) => (letter === 'A' ? 'B' : 'A'))).join('\n');
      writeFileSync(path('changed.tlog-proof'), changed);
      expect([line, await verify(path('changed.tlog-proof'))]).toEqual([line, expect.objectContaining({ code: 1, stdout: expect.stringMatching(/^BAD: /) as string })]);
    }
    writeFileSync(path('stricter.policy'), `${policy.replace(/^quorum.*$/m, '')}witness south south+00000000+AAAA\nquorum hospitals\n`);
    expect(await verify(path('frame.tlog-proof'), path('stricter.policy'))).toMatchObject({ code: 2, stderr: expect.stringMatching(/line \d+: .*no key/) as string });
    writeFileSync(path('no-hospital.tlog-proof'), lines.filter((line) => !line.startsWith('\u2014 north')).join('\n'));
    expect(await verify(path('no-hospital.tlog-proof'))).toMatchObject({ code: 3, stdout: expect.stringMatching(/^NOT FINAL: /) as string });
  });

  it('has the form of a COSE receipt for an entry, too', async () => {
    expect((await prove('receipt', '1', '--out', path('one.receipt'))).code).toBe(0);
    const check = (entry: string): ReturnType<typeof vitalgate> => vitalgate('verify', 'receipt', path('one.receipt'), '--entry', entry, '--policy', path('hospital.policy'));
    expect(await check(path('one.receipt.entry'))).toMatchObject({ code: 0, stdout: expect.stringMatching(/^good: the entry is leaf \d+ of \d+ in a tree that the gateway of vitalgate\//) as string });
    expect(await check(path('hospital.policy'))).toMatchObject({ code: 1, stdout: expect.stringContaining('does not lead to a root that this gateway signed') as string });
  });

  it('shows that the chain only grew since an older checkpoint', async () => {
    const older = Number(/\n\nvitalgate\/\S+\n(\d+)\n/.exec(readFileSync(path('entry.tlog-proof'), 'utf8'))?.[1]);
    expect(older).toBeGreaterThan(0);
    expect((await prove('growth', String(older), '--out', path('growth.proof'))).stderr).toMatch(new RegExp(`^lane record, from ${older} leaves to \\d+\n$`));
    expect(await verify(path('growth.proof'))).toMatchObject({ code: 0, stdout: expect.stringMatching(new RegExp(`^good: the ${older} leaves of vitalgate/\\S+ are the beginning of its \\d+:`)) as string });
    const lines = readFileSync(path('growth.proof'), 'utf8').split('\n');
    writeFileSync(path('swapped.proof'), [lines[0], lines[2]?.replace('newer', 'older'), lines[1]?.replace('older', 'newer'), ...lines.slice(3)].join('\n'));
    const swapped = await verify(path('swapped.proof'));
    // Of one checkpoint with itself either way is true.
    expect(swapped.code).toBe(lines.length > 4 ? 1 : 0);
    expect((await prove('growth', '99999999')).stderr).toContain('no block of lane record ended at 99999999 leaves');
  });

  it('goes with an audit of the whole chain, which has to be the gateway\'s and the hospitals\' of the policy', async () => {
    const audit = (policy: string): ReturnType<typeof vitalgate> => vitalgate('verify', 'chain', site.hospitalUrl, '--policy', policy);
    expect(await audit(path('hospital.policy'))).toMatchObject({ code: 0, stdout: expect.stringContaining('good, ') as string });
    await using other = await Site.prepare();
    expect((await vitalgate('prove', 'policy', '--config', other.config, '--out', path('other.policy'))).code).toBe(0);
    expect(await audit(path('other.policy'))).toMatchObject({ code: 1, stdout: expect.stringMatching(/BAD: a whole chain, but not one of the policy: the policy knows no gateway of vitalgate/) as string });
  });

  it('is refused in words for what is not there', async () => {
    expect((await prove('entry', '999999')).stderr).toContain('no block holds entry 999999');
    expect((await prove('frame', '999999')).stderr).toContain('the journal has no frame 999999');
    expect((await prove('frame', 'seven')).code).toBe(2);
    expect((await vitalgate('verify', 'proof', path('frame.tlog-proof'))).stderr).toContain('whom do you believe');
  });
});
