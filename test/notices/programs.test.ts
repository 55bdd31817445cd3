import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type Program } from '../../gateway/notices/programs.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

const FOR_EVER = new AbortController().signal;

describe('a program', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'vitalgate-programs-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const program = (run: readonly string[], within = Seconds(20)): Program => ({ name: 'bell', kind: 'buzzer', run, within });
  const script = (text: string): readonly string[] => ['/bin/sh', '-c', text];

  it('gets the text on standard input and in its environment, and nothing of the gateway’s', async () => {
    process.env['VITALGATE_TEST_SECRET'] = 'secret';
    const text = '$(touch evil); "help"\n--now';
    const got = join(folder, 'got');
    expect(await runProgram(program(script(`cat > ${got}; printf %s "$VITALGATE_TEXT" >> ${got}; env >> ${got}`)), text, FOR_EVER)).toBe('/bin/sh ended well');
    delete process.env['VITALGATE_TEST_SECRET'];
    const said = readFileSync(got, 'utf8');
    expect(said.startsWith(`${text}\n${text}`)).toBe(true);
    expect(said).not.toContain('VITALGATE_TEST_SECRET');
  });

  it.each([
    [script('echo the bell is broken >&2; exit 3'), '/bin/sh ended with exit code 3: the bell is broken'],
    [script('kill -TERM $$'), '/bin/sh ended with SIGTERM'],
    [['/no/such/bell'], '/no/such/bell cannot be started: spawn /no/such/bell ENOENT'],
  ])('says what went wrong: %j', async (run, why) => {
    await expect(runProgram(program(run), 'help', FOR_EVER)).rejects.toThrow(why);
  });

  it('may ignore what it is told, and say more than is kept', async () => {
    expect(await runProgram(program(script('exec 0<&-; yes | head -c 2000000 >&2; exit 0')), 'x'.repeat(1000), FOR_EVER)).toMatch(/^\/bin\/sh ended well: y/);
  });

  it('is killed after its time, and with the signal, with everything it started', async () => {
    const [mark, pid] = [join(folder, 'mark'), join(folder, 'pid')];
    const lasting = script(`(sleep 30; touch ${mark}) & echo $! > ${pid}; wait`);
    const gone = (): boolean => !existsSync(`/proc/${readFileSync(pid, 'utf8').trim()}`) || / Z /.test(readFileSync(`/proc/${readFileSync(pid, 'utf8').trim()}/stat`, 'utf8'));
    await expect(runProgram(program(lasting, Millis(300)), 'help', FOR_EVER)).rejects.toThrow('/bin/sh was killed after its time (within in the configuration)');
    await expect.poll(gone, { timeout: 20_000 }).toBe(true);
    const stop = new AbortController();
    rmSync(pid);
    const running = runProgram(program(lasting), 'help', stop.signal);
    await expect.poll(() => existsSync(pid) && readFileSync(pid, 'utf8') !== '', { timeout: 20_000 }).toBe(true);
    stop.abort();
    await expect(running).rejects.toThrow('/bin/sh ended with SIGKILL');
    await expect.poll(gone, { timeout: 20_000 }).toBe(true);
  });
});
