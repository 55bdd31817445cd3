import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Program, vitalgate } from './program.ts';

const SECONDS = 12;

/** Commands that run for this folder, asked of the kernel: who ended leaves no command line behind. */
function processesNaming(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

describe('the demo', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-demo-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('shows messages in all five states, ends by itself and leaves a chain that verifies and no process', async () => {
    const { code, stdout, stderr } = await vitalgate('demo', '--data', folder, '--patients', '2', '--seconds', String(SECONDS));
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/received +accepted +sealed +relayed +receipted/);
    const totals = [...stdout.matchAll(/^ {2}in all +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/gm)].map((row) => row.slice(1).map(Number));
    expect(totals.at(-1)?.every((count) => count > 0)).toBe(true);
    expect(stdout).toMatch(/^link ethernet: demo-hospital up$/m);
    expect(stdout).toMatch(/^link 5g: demo-hospital \w+; modem Quectel RM520N-GL: connected \(data can go\), 5G SA, Testnet, RSRP -\d+ dBm/m);
    expect(stdout).toContain('stopped: gateway, hospital node and devices');
    expect(processesNaming(folder)).toEqual([]);
    for (const data of ['gateway', 'hospital']) expect((await vitalgate('verify', 'chain', join(folder, data))).code).toBe(0);
  });

  it('stops everything on Ctrl-C, runs again over the same folder, and stops when it is killed', async () => {
    await using first = new Program(['demo', '--data', folder, '--patients', '1']);
    await first.hears('stdout', /in all/);
    expect((await first.stop('SIGINT')).code).toBe(0);
    await using second = new Program(['demo', '--data', folder, '--patients', '1']);
    await second.hears('stdout', /in all/);
    const children = processesNaming(folder).filter((pid) => Number(pid) !== second.pid);
    expect(children.length).toBeGreaterThanOrEqual(3);
    await second.kill();
    await expect.poll(() => processesNaming(folder), { timeout: 20_000 }).toEqual([]);
  });
});
