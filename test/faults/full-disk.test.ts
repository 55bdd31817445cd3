import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../path/program.ts';
import { Site } from '../path/site.ts';
import { Load } from './load.ts';

const START_AGAIN = 75;
/** So large that the log RocksDB has set aside is used up within a second or two. */
const PADDING = 4096;

/** A file system of its own that can really be full. */
class SmallDisk implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vitalgate-disk-'));
  readonly mounted: boolean;

  constructor() {
    this.mounted = spawnSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', this.folder]).status === 0;
  }

  /** Takes every free byte. */
  fill(): void {
    const file = openSync(join(this.folder, 'filler'), 'a');
    try {
      for (const size of [1 << 20, 4096, 1]) {
        const bytes = Buffer.alloc(size);
        while (this.#write(file, bytes));
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.folder, 'filler'));
  }

  [Symbol.dispose](): void {
    if (this.mounted) spawnSync('/usr/bin/umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(file: number, bytes: Buffer): boolean {
    try {
      return writeSync(file, bytes) === bytes.length;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
      throw error;
    }
  }
}

function canMount(): boolean {
  using disk = new SmallDisk();
  return disk.mounted;
}

const mountable = canMount();

describe.skipIf(!mountable)(`a disk that is full${mountable ? '' : ' (skipped: only root may mount a file system to fill)'}`, () => {
  it('is answered with silence to devices and an alarm to people; with room again the gateway ends, starts and has lost nothing', async () => {
    using disk = new SmallDisk();
    await using site = await Site.running({ gatewayData: join(disk.folder, 'gateway') });
    using load = await Load.start(site, { padding: PADDING });
    await load.more(500);
    disk.fill();
    await until('the gateway refuses', async () => (await site.metric('vitalgate_store_healthy')) === 0);
    const ready = await fetch(`${site.webUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready', reason: expect.stringContaining('No space left on device') }]);
    expect((await fetch(`${site.webUrl}/healthz`)).status).toBe(200);
    expect((await site.api.status()).fault).toContain('No space left on device');
    // While it is full, devices come back and are turned away, and none of them sees a PUBACK.
    const acknowledged = load.acknowledged;
    const refused = (): Promise<number | undefined> => site.metric('vitalgate_refused_total{reason="store_fault"}');
    const before = (await refused()) ?? 0;
    await until('20 more messages were refused', async () => ((await refused()) ?? 0) >= before + 20);
    expect(load.acknowledged).toBe(acknowledged);
    expect(await site.gateway.hears('stderr', /"level":"fatal".*/)).toContain('the store fails; every message is refused');
    disk.free();
    await until('the gateway ended', () => site.gateway.isOver);
    expect((await site.gateway.ended).code).toBe(START_AGAIN);
    expect(site.gateway.stderr).toContain('so that the supervisor starts this program again');
    expect(load.acknowledged).toBe(acknowledged);
    await site.startGateway();
    await load.more(100);
    await load.finish('a full disk');
  });

  it('survives a kill: the start says what is wrong until there is room again', async () => {
    using disk = new SmallDisk();
    await using site = await Site.running({ gatewayData: join(disk.folder, 'gateway') });
    using load = await Load.start(site, { padding: PADDING });
    await load.more(500);
    disk.fill();
    await until('the gateway refuses', async () => (await site.metric('vitalgate_store_healthy')) === 0);
    await site.gateway.kill();
    const { code, stderr } = await site.launchGateway().ended;
    expect([code, stderr]).toEqual([2, expect.stringContaining('No space left on device')]);
    disk.free();
    await site.startGateway();
    await load.finish('a full disk and a kill');
  });
});
