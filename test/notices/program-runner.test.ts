import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProgramRunner } from '../../gateway/notices/program-runner.ts';
import type { Program } from '../../gateway/notices/programs.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

const FOR_EVER = new AbortController().signal;

describe('the process that runs programs', () => {
  let folder: string;
  let runner: ProgramRunner;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-runner-'));
    runner = new ProgramRunner();
  });
  afterEach(async () => {
    await runner.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const script = (text: string, within = Seconds(20)): Program => ({ name: 'bell', kind: 'buzzer', run: ['/bin/sh', '-c', text], within });
  /** A program that says by a file that it runs, and by its pid whether it still does. */
  const lasting = (): Readonly<{ program: Program; begun: () => boolean; isGone: () => boolean }> => {
    const path = join(folder, 'pid');
    const pid = (): string => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '');
    return { program: script(`echo $$ > ${path}; exec sleep 60`), begun: () => pid() !== '', isGone: () => !existsSync(`/proc/${pid()}`) || / Z /.test(readFileSync(`/proc/${pid()}/stat`, 'utf8')) };
  };

  it('runs several at a time, and says of each what became of it', async () => {
    const results = await Promise.allSettled([
      runner.run(script('cat >&2'), 'one', FOR_EVER), runner.run(script('exit 3'), 'two', FOR_EVER), runner.run(script('sleep 60', Millis(200)), 'three', FOR_EVER),
    ]);
    expect(results).toMatchObject([{ value: '/bin/sh ended well: one' }, { reason: { message: '/bin/sh ended with exit code 3' } }, { reason: { message: '/bin/sh was killed after its time (within in the configuration)' } }]);
  });

  it('gives up what nobody waits for any more', async () => {
    const { program, begun, isGone } = lasting();
    const stop = new AbortController();
    const running = runner.run(program, 'help', stop.signal);
    await expect.poll(begun, { timeout: 20_000 }).toBe(true);
    stop.abort();
    await expect(running).rejects.toThrow('/bin/sh ended with SIGKILL');
    expect(isGone()).toBe(true);
    await expect(runner.run(program, 'help', stop.signal)).rejects.toThrow(/abort/);
  });

  it('says that it is gone when it was killed, and is there for the next', async () => {
    const { program, begun } = lasting();
    const running = runner.run(program, 'help', FOR_EVER);
    await expect.poll(begun, { timeout: 20_000 }).toBe(true);
    process.kill(runner.pid ?? 0, 'SIGKILL');
    await expect(running).rejects.toThrow('the process that runs programs ended (SIGKILL): nobody knows what the program did');
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    expect(await runner.run(script('exit 0'), 'help', FOR_EVER)).toBe('/bin/sh ended well');
  });

  it('ends with the gateway, and what it runs with it', async () => {
    const { program, begun, isGone } = lasting();
    const running = runner.run(program, 'help', FOR_EVER);
    await expect.poll(begun, { timeout: 20_000 }).toBe(true);
    await Promise.all([runner.stop(), expect(running).rejects.toThrow('the process that runs programs ended')]);
    await expect.poll(isGone, { timeout: 20_000 }).toBe(true);
    await expect(runner.run(program, 'help', FOR_EVER)).rejects.toThrow('the gateway is stopping');
  });
});
