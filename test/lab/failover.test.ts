import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBlock } from '../../gateway/ledger/block.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { until, vitalgate } from '../path/program.ts';
import { House } from './house.ts';
import { Laboratory, laboratoryNeeds, PROFILES } from './laboratory.ts';
import { alarmIn, TROUBLES } from './troubles.ts';

const needed = laboratoryNeeds();

/** The blocks of the alarm lane in a data folder, also of a program that runs. */
async function alarmBlocks(data: string, out: string): Promise<readonly Uint8Array[]> {
  const { code, stderr } = await vitalgate('export', data, '--out', out);
  expect(stderr + String(code)).toBe('0');
  const blocks = await Array.fromAsync(readBlocks(readFileSync(out)));
  return blocks.filter((block) => openBlock(block).header.lane === 'alarm');
}

const raisedIn = (block: Uint8Array): number => openBlock(block).entries.map(decodeEntry).filter(({ kind, fields }) => kind === 'event' && fields.get('why') === 'raised').length;

describe.skipIf(needed.missing)(`alarms of a house whose links fail${needed.note}`, () => {
  it('reach the hospital over the other link: none lost, none twice, in their order', async ({ annotate }) => {
    await using lab = await Laboratory.build();
    await using house = await House.in(lab);
    await house.startHospital();
    await house.startGateway();
    const figures: string[] = [];
    for (const trouble of TROUBLES) figures.push(`${trouble.name}: ${[await alarmIn(house, trouble), await alarmIn(house, trouble)].join(' and ')} ms`);
    await lab.shape('cellular', PROFILES['bad cell']);
    const patient = await house.newPatient();
    await house.untilUp('ethernet');
    await lab.pull('ethernet');
    figures.push(`over a bad cell: ${await house.alarm(patient)} ms`);

    const atGateway = await alarmBlocks(join(lab.folder, 'gateway'), join(lab.folder, 'gateway.chain'));
    const atHospital = await alarmBlocks(join(lab.folder, 'hospital'), join(lab.folder, 'hospital.chain'));
    expect(atHospital.map((block) => Buffer.from(block).toString('hex'))).toEqual(atGateway.map((block) => Buffer.from(block).toString('hex')));
    expect(atHospital.flatMap((block) => raisedIn(block)).reduce((sum, count) => sum + count, 0)).toBe(2 * TROUBLES.length + 1);
    expect((await house.links()).links.map(({ misled }) => misled)).toEqual([null, null]);
    // The alarm may be quicker than the next look at the interface.
    await until('the link is said to be absent', async () => /\n {2}north: absent for .+ \(eth0 has no carrier\)\n/.test((await vitalgate('links', '--config', house.config)).stdout));
    await annotate(`device to receipt: ${figures.join('; ')}`);
    process.stdout.write(`device to receipt: ${figures.join('; ')}\n`);
  });

  it('are not believed to go over a link whose packets the machine sends another way', async () => {
    await using lab = await Laboratory.build();
    await lab.forgetRule('cellular');
    await using house = await House.in(lab);
    await house.startHospital();
    await house.startGateway();
    const misled = await until('it is found', async () => (await house.links()).links[1]?.misled ?? undefined);
    expect(misled).toMatch(/^packets of link cellular \(10\.77\.2\.2\) leave through eth0, not wwan0: give it a route of its own, "ip rule add from 10\.77\.2\.2 table N"/);
    const { code, stdout } = await vitalgate('links', '--config', house.config);
    expect([code, stdout]).toEqual([1, expect.stringContaining(`  MISLED: ${misled}\n`)]);
  });
});
