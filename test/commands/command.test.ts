import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { helpOf, numberOf, parseArguments, textOf, untilStoppedOrLost, type Command } from '../../gateway/commands/command.ts';
import { StoreError, UsageError } from '../../gateway/errors.ts';

const paint: Command = {
  name: 'paint',
  summary: 'Paints a wall.',
  usage: ['paint <wall>', 'paint --list'],
  details: 'Dries by itself.',
  options: { colour: { type: 'string', short: 'c', value: 'NAME', help: 'Which colour' }, list: { type: 'boolean', help: 'Show all colours' } },
  run: () => Promise.resolve(0),
};

describe('the words of a command', () => {
  it('are options and positionals, in any order', () => {
    const args = parseArguments(paint, ['north', '--colour', 'red', '--list', 'south']);
    expect(args.positionals).toEqual(['north', 'south']);
    expect([textOf(args, 'colour'), args.values['list'], textOf(args, 'list')]).toEqual(['red', true, undefined]);
    expect(textOf(parseArguments(paint, ['-c', 'blue']), 'colour')).toBe('blue');
    expect(textOf(parseArguments(paint, ['--colour=']), 'colour')).toBe('');
  });

  it.each([[['--size', '3']], [['--colour']], [['-x']], [['--list=yes']]])('%j is refused', (words) => {
    expect(() => parseArguments(paint, words)).toThrow(UsageError);
  });

  it('hold whole numbers from 0', () => {
    const number = (text: string): number => numberOf({ values: { n: text }, positionals: [] }, 'n', 5);
    expect([number('0'), number('12'), numberOf({ values: {}, positionals: [] }, 'n', 5)]).toEqual([0, 12, 5]);
    for (const text of ['-1', '1.5', 'NaN', 'Infinity', 'ten', '9007199254740993', '', ' ']) expect(() => number(text)).toThrow('--n takes a whole number');
  });
});

describe('the help of a command', () => {
  it('says what it does, how it is called and every option', () => {
    expect(helpOf(paint)).toBe(
      [
        'Paints a wall.',
        '',
        'Usage: vitalgate paint <wall>',
        '       vitalgate paint --list',
        '',
        'Dries by itself.',
        '',
        'Options:',
        '  -c, --colour NAME  Which colour',
        '  --list             Show all colours',
        '  -h, --help         Show this help',
      ].join('\n'),
    );
  });
});

describe('a program that serves', () => {
  const log = pino({ enabled: false });
  const never = new Promise<StoreError>(() => undefined);

  it('ends when it is asked to, also when that was before it began', async () => {
    const stop = new AbortController();
    const ended = untilStoppedOrLost(stop.signal, never, log);
    stop.abort();
    expect(await ended).toBe(false);
    expect(await untilStoppedOrLost(stop.signal, never, log)).toBe(false);
  });

  it('ends with a fatal log line when its store must be opened anew', async () => {
    const lines: string[] = [];
    const lost = Promise.resolve(new StoreError('VG_STORE_CLOSED', 'a write failed'));
    expect(await untilStoppedOrLost(new AbortController().signal, lost, pino({}, { write: (line) => lines.push(line) }))).toBe(true);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 60, code: 'VG_STORE_CLOSED', error: 'a write failed' });
  });
});
