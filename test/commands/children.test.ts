import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildCommand } from '../../gateway/commands/children.ts';

describe('a command started as a process', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-children-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const log = (): string => join(folder, 'child.log');
  /** Starts a script in place of main.ts. */
  function start(script: string, ...words: string[]): ReturnType<typeof ChildCommand.start> {
    const main = join(folder, 'main.mjs');
    writeFileSync(main, script);
    return ChildCommand.start({ self: { node: process.execPath, flags: [], main } }, ['serve', ...words], log());
  }

  it('is ready with its first line; everything it says is logged; it stops when asked', async () => {
    const { child, firstLine } = await start("console.error('a log line'); console.log('ready', process.argv[3]); setInterval(() => {}, 1000);", 'x');
    expect(firstLine).toBe('ready x');
    await child.stop();
    await child.stop();
    await expect.poll(() => readFileSync(log(), 'utf8')).toMatch(/ready x\n[^]*a log line|a log line\n[^]*ready x/);
  });

  it('that ends before it is ready is a failure that names the log', async () => {
    await expect(start('process.exit(3);')).rejects.toMatchObject({ code: 'VG_PEER_UNREACHABLE', message: `vitalgate serve ended with code 3; see ${log()}` });
  });

  it('that ends unasked is noticed', async () => {
    const { child } = await start("console.log('ready'); process.on('message', () => {}); setTimeout(() => process.exit(4), 10);");
    await expect(child.watch()).rejects.toThrow('vitalgate serve ended with code 4');
  });

  it('learns of the end of its parent through its channel', async () => {
    const { child, firstLine } = await start("console.log(process.connected ? 'connected' : 'alone'); setInterval(() => {}, 1000);");
    expect(firstLine).toBe('connected');
    await child.stop();
  });
});
