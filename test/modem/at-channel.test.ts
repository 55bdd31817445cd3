import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AtChannel, type AtPort } from '../../gateway/modem/at-channel.ts';
import { AtError, finalIn, ModemSilent } from '../../gateway/modem/at-final.ts';
import { AtLines } from '../../gateway/modem/at-lines.ts';
import { Millis } from '../../gateway/quantity.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** A modem that answers as the test says: `answers` to what it was told, and plain AT with OK. */
function modemThat(answers: Readonly<Record<string, readonly string[]>>): Readonly<{ channel: AtChannel; told: string[]; unsolicited: string[] }> {
  const [told, unsolicited]: [string[], string[]] = [[], []];
  const port: AtPort = {
    write: (written) => {
      const text = Buffer.from(written).toString('latin1');
      told.push(text);
      const command = text.replace(/\r$/, '');
      const pieces = answers[command] ?? (command === 'AT' ? ['\r\nOK\r\n'] : []);
      queueMicrotask(() => {
        for (const piece of pieces) channel.received(bytes(piece));
      });
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const channel = new AtChannel(port, (line) => unsolicited.push(line));
  return { channel, told, unsolicited };
}

describe('the end of an answer', () => {
  it.each([
    ['OK', { ok: true }],
    ['CONNECT 115200', { ok: true }],
    ['ERROR', { ok: false, error: new AtError('ERROR') }],
    ['+CME ERROR: 10', { ok: false, error: new AtError('+CME ERROR: 10', 10) }],
    ['+CME ERROR: SIM not inserted', { ok: false, error: new AtError('+CME ERROR: SIM not inserted', 10) }],
    ['+CMS ERROR: 304', { ok: false, error: new AtError('+CMS ERROR: 304 (the modem does not understand the message)', 304) }],
    ['+CME ERROR: ', { ok: false, error: new AtError('+CME ERROR:') }],
    ['+CME ERROR:', undefined],
    ['UNKNOWN COMMAND', undefined],
    ['NOT OK', undefined],
    ['+COPS: 0,0,"OK",7', undefined],
  ])('%s', (line, expected) => {
    expect(finalIn(line)).toEqual(expected);
  });
});

describe('lines of a modem', () => {
  it('are whole however they are cut, without NULs and empty lines, and the prompt needs no line ending', () => {
    const text = '\0\0\r\n+CME ERROR: 3\r\n\r\nOK\r\n\r\n+CMTI: "ME",1\r\nAT+CMGS=18\r\r\n> ';
    const whole = ['+CME ERROR: 3', 'OK', '+CMTI: "ME",1', 'AT+CMGS=18', '>'];
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 60, maxLength: 60 }), (sizes) => {
      const lines = new AtLines();
      const found: string[] = [];
      let at = 0;
      for (const size of sizes) {
        found.push(...lines.push(bytes(text.slice(at, at + size))));
        at += size;
      }
      found.push(...lines.push(bytes(text.slice(at))));
      // Cut between > and the space behind it, the prompt has been seen already.
      expect(found.filter((line) => line.trim() !== '')).toEqual(whole);
    }), { numRuns: fuzzRuns(200) });
  });

  it('noise that never ends is forgotten', () => {
    const lines = new AtLines();
    for (let n = 0; n < 1000; n++) lines.push(bytes('x'.repeat(100)));
    expect(lines.push(bytes('\r\nOK\r\n')).at(-1)).toBe('OK');
    expect(lines.push(bytes('y\r\n'))[0]).toBe('y');
  });
});

describe('asking a modem', () => {
  it('gives the lines of the answer without echo and end; what nobody asked for goes elsewhere, before, within and after it', async () => {
    const { channel, unsolicited } = modemThat({ 'AT+CEREG?': ['\r\n+CMTI: "ME",1\r\nAT+CEREG?\r\r\n+CEREG: 2,1', '\r\nRING\r\n', '\r\nOK\r\n\r\n+CEREG: 5\r\n'] });
    expect(await channel.ask('AT+CEREG?')).toEqual(['+CEREG: 2,1']);
    expect(unsolicited).toEqual(['+CMTI: "ME",1', 'RING', '+CEREG: 5']);
  });

  it('takes lines without a name for commands that have none', async () => {
    const { channel, unsolicited } = modemThat({ 'AT+CGMI': ['\r\nQuectel\r\n+QIND: "csq",1,99\r\n\r\nOK\r\n'] });
    expect(await channel.ask('AT+CGMI', { answers: [] })).toEqual(['Quectel']);
    expect(unsolicited).toEqual(['+QIND: "csq",1,99']);
  });

  it('rejects with what the modem says is wrong', async () => {
    const { channel } = modemThat({ 'AT+CPIN?': ['\r\n+CME ERROR: 1', '0\r\n'] });
    await expect(channel.ask('AT+CPIN?')).rejects.toEqual(new AtError('+CME ERROR: 10', 10));
  });

  it('sends a text at the prompt and nowhere else', async () => {
    const { channel, told } = modemThat({ 'AT+CMGS=18': ['AT+CMGS=18\r\r\n> '], '0011\u001A': ['0011\u001A', '\r\n+CMGS: 5\r\n\r\nOK\r\n'], 'AT+X': ['\r\n> \r\nOK\r\n'] });
    expect(await channel.ask('AT+X')).toEqual([]);
    expect(await channel.ask('AT+CMGS=18', { text: '0011' })).toEqual(['+CMGS: 5']);
    expect(told).toEqual(['\u001B\r', 'AT\r', 'AT+X\r', 'AT+CMGS=18\r', '0011\u001A']);
  });

  it('asks one after the other, however many ask at once', async () => {
    const { channel, told } = modemThat({ 'AT+A?': ['+A: 1\r\nOK\r\n'], 'AT+B?': ['+B: 2\r\nOK\r\n'] });
    expect(await Promise.all([channel.ask('AT+A?'), channel.ask('AT+B?'), channel.ask('AT+A?')])).toEqual([['+A: 1'], ['+B: 2'], ['+A: 1']]);
    expect(told.slice(2)).toEqual(['AT+A?\r', 'AT+B?\r', 'AT+A?\r']);
  });

  it('rejects at its deadline, and asks whether anybody is there before the next', async () => {
    const { channel, told } = modemThat({ 'AT+C?': ['+C: 1\r\nOK\r\n'] });
    await expect(channel.ask('AT+SLOW=1234', { timeout: Millis(20) })).rejects.toEqual(new ModemSilent('the modem did not answer AT+SLOW=… within 20 ms'));
    expect(await channel.ask('AT+C?')).toEqual(['+C: 1']);
    expect(told.slice(2)).toEqual(['AT+SLOW=1234\r', '\u001B\r', 'AT\r', 'AT+C?\r']);
  });

  it('rejects at once, and for ever, when the line is gone', async () => {
    const { channel } = modemThat({});
    const asking = channel.ask('AT+C?');
    channel.lost('unplugged');
    await expect(asking).rejects.toThrow('unplugged');
    await expect(channel.ask('AT+C?')).rejects.toThrow('unplugged');
  });
});
