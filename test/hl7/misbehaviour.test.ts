import { describe, expect, it } from 'vitest';
import { controlIdOf } from '../../gateway/hl7/header.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { acknowledgement, frame, RawEngine, Sender, type Received } from './engine.ts';
import { ADDRESSING, alarmStep, quarter, statistics } from './records.ts';

const SPO2 = { spo2: statistics('%', 96) };
const observation = (number: number): HospitalRecord => quarter(number, SPO2);
const idsOf = (records: readonly HospitalRecord[]): readonly string[] => records.map(controlIdOf);
const RECORDS = [1, 2, 3].map(observation);

const accept = ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AA', id)));
const HASTY = { times: { connect: Seconds(5), acknowledgement: Millis(80) } };

/** What an engine does with the first message it gets; it accepts every later one. */
const atFirst = (misbehave: (received: Received) => void) => (received: Received, { received: all }: RawEngine): void => (all.length === 1 ? misbehave : accept)(received);

describe('messages get there, each in its turn,', () => {
  it.each<[string, (received: Received) => void]>([
    ['when answers are cut in pieces', ({ id, socket }) => {
      const bytes = frame(acknowledgement('AA', id));
      for (const byte of bytes) socket.write(byte);
    }],
    ['when answers have LF between segments and after the frame', ({ id, socket }) => void socket.write(`\u000B${acknowledgement('AA', id).replaceAll('\r', '\n')}\u001C\n`)],
    ['when an answer of another message comes first', ({ id, socket }) => void socket.write(frame(acknowledgement('AR', 'another')) + frame(acknowledgement('AA', id)))],
    ['when noise and what is no acknowledgement come first', ({ id, socket }) => void socket.write(`noise${frame('hello')}${frame(acknowledgement('ZZ', id))}${frame(acknowledgement('AA', id))}`)],
    ['when every answer comes twice', ({ id, socket }) => void socket.write(frame(acknowledgement('AA', id)).repeat(2))],
    ['when it is taken by whoever keeps messages, and then by the application', ({ id, socket }) => void socket.write(frame(acknowledgement('CA', id)) + frame(acknowledgement('AA', id)))],
  ])('%s', async (_, misbehave) => {
    await using engine = await RawEngine.listen(atFirst(misbehave));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 3);
    expect(engine.ids).toEqual(idsOf(RECORDS));
    expect(sender.outcomes).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
    expect(await sender.cursor('observations')).toBe(3);
  });

  it.each<[string, (received: Received) => void]>([
    ['no answer comes', () => undefined],
    ['the connection is closed', ({ socket }) => void socket.destroy()],
    ['the engine closes its side', ({ socket }) => void socket.end()],
    ['the answer is of another message', ({ socket }) => void socket.write(frame(acknowledgement('AA', 'another')))],
    ['the answer is cut off', ({ id, socket }) => void socket.write(frame(acknowledgement('AA', id)).slice(0, -2))],
    ['the answer has no end', ({ socket }) => void socket.write(`\u000B${'x'.repeat(100_000)}`)],
    ['it is kept, and the application says nothing', ({ id, socket }) => void socket.write(frame(acknowledgement('CA', id)))],
  ])('the first once more, over a new connection and under the same id, when %s', async (_, misbehave) => {
    await using engine = await RawEngine.listen(atFirst(misbehave));
    await using sender = await new Sender(engine.port, HASTY).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 3);
    const [first = '', ...others] = idsOf(RECORDS);
    expect(engine.ids).toEqual([first, first, ...others]);
    expect(engine.received.map(({ connection }) => connection)).toEqual([1, 2, 2, 2]);
    expect(engine.received[0]?.text).toBe(engine.received[1]?.text);
  });

  it('when an answer comes too late: it says nothing about the next connection', async () => {
    const late: Received[] = [];
    await using engine = await RawEngine.listen((received) => {
      if (late.push(received) > 1) {
        accept(received);
        accept(late[0] as Received);
      }
    });
    await using sender = await new Sender(engine.port, HASTY).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 3);
    expect(engine.ids.slice(1)).toEqual(idsOf(RECORDS));
  });

  it('after the engine was away, from where it was', async () => {
    const engine = await RawEngine.listen(accept);
    const { port } = engine;
    await using sender = await new Sender(port).started();
    sender.log.add(observation(1));
    await sender.counted('acknowledged', 1);
    await engine[Symbol.asyncDispose]();
    sender.log.add(observation(2), observation(3));
    while (sender.outputs.status()[0]?.lastError === null) await new Promise((resolve) => setImmediate(resolve));
    expect(sender.outputs.status()[0]).toMatchObject({ connected: false, sent: 1 });
    await using back = await RawEngine.listen(accept, { port });
    await sender.counted('acknowledged', 3);
    expect(back.ids).toEqual(idsOf([observation(2), observation(3)]));
    expect(sender.outputs.status()[0]).toMatchObject({ connected: true, sent: 3, lastError: null });
  });

  it('with one in flight at a time', async () => {
    let unanswered = 0;
    let most = 0;
    await using engine = await RawEngine.listen((received) => {
      most = Math.max(most, ++unanswered);
      setImmediate(() => {
        unanswered -= 1;
        accept(received);
      });
    });
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...Array.from({ length: 100 }, (_, i) => observation(i + 1)));
    await sender.counted('acknowledged', 100);
    expect([most, engine.received.length]).toEqual([1, 100]);
  });
});

describe('alarms', () => {
  it('go before observations that wait, and nothing of them waits for an observation that is refused', async () => {
    const held: Received[] = [];
    await using engine = await RawEngine.listen((received) => void (held.length === 0 ? held.push(received) : accept(received)));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(observation(1), observation(2));
    await engine.has(1);
    sender.log.add(observation(3), alarmStep(4), alarmStep(5, { why: 'cleared', from: 'active', to: 'cleared' }));
    for (const received of held) received.socket.write(frame(acknowledgement('AE', received.id)));
    await sender.counted('acknowledged', 5);
    expect(engine.ids.slice(0, 3)).toEqual(idsOf([observation(1), alarmStep(4), alarmStep(5)]));
    expect(engine.ids.slice(3)).toEqual(idsOf(RECORDS));
  });

  it('are all that is sent where nothing else is wanted', async () => {
    await using engine = await RawEngine.listen(accept);
    await using sender = await new Sender(engine.port, { what: ['alarms'], wanted: { leastPriority: 'high', summaries: 'quarter', rooms: true } }).started();
    sender.log.add(observation(1), alarmStep(2, { priority: 'low' }), alarmStep(3), observation(4));
    await sender.counted('acknowledged', 1);
    expect(engine.ids).toEqual(idsOf([alarmStep(3)]));
    while ((await sender.cursor('alarms')) !== 4) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('a message that is refused', () => {
  const refusing = (bad: HospitalRecord, ...answer: readonly [code: string, ...more: string[]]) => ({ id, socket }: Received): void => {
    const [code, ...more] = answer;
    socket.write(frame(id === controlIdOf(bad) ? acknowledgement(code, id, ...more) : acknowledgement('AA', id)));
  };

  it.each(['AE', 'AR', 'CE', 'CR'])('with %s is tried again as often as is set, and then set aside: what follows goes on', async (code) => {
    await using engine = await RawEngine.listen(refusing(observation(1), code, 'ERR|||207^out of order|E'));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 2);
    const [bad = ''] = idsOf(RECORDS);
    expect(engine.ids).toEqual([bad, bad, ...idsOf(RECORDS)]);
    expect(await sender.setAside()).toMatchObject([{ number: 1, controlId: bad, kind: 'observations', reason: `${code}, 207 a failure inside the application` }]);
    expect(sender.outputs.status()[0]).toMatchObject({ setAside: 1, sent: 2 });
  });

  it('for what it is, is set aside at once', async () => {
    await using engine = await RawEngine.listen(refusing(observation(1), 'AR', 'ERR||OBX^4^3|103^unknown code|E'));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 2);
    expect(engine.ids).toEqual(idsOf(RECORDS));
    expect(await sender.setAside()).toMatchObject([{ number: 1, reason: 'AR, 103 a value that is in no table (at OBX 4 3)' }]);
  });

  it('is still set aside after a restart, and sent when somebody asks, once', async () => {
    let isBad = true;
    await using engine = await RawEngine.listen((received) => (isBad && received.id === controlIdOf(observation(2)) ? refusing(observation(2), 'AR', 'ERR|||101^x|E') : accept)(received));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 2);
    await sender.stop();
    await sender.started();
    expect(sender.outputs.status()[0]?.setAside).toBe(1);
    expect(await sender.outputs.sendAgain('engine', 2)).toBe(1);
    await sender.counted('set_aside', 2);
    expect(await sender.setAside()).toHaveLength(1);
    isBad = false;
    expect(await sender.outputs.sendAgain('engine')).toBe(1);
    await sender.counted('acknowledged', 3);
    sender.log.add(observation(4));
    await sender.counted('acknowledged', 4);
    expect(engine.ids).toEqual(idsOf([...RECORDS, observation(2), observation(2), observation(4)]));
    expect([await sender.setAside(), sender.outputs.status()[0]?.setAside, await sender.outputs.sendAgain('engine')]).toEqual([[], 0, 0]);
  });

  it('by a connection that breaks at it, again and again, is set aside as soon as others get through', async () => {
    await using engine = await RawEngine.listen((received) => (received.id === controlIdOf(alarmStep(1)) ? void received.socket.destroy() : accept(received)));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(alarmStep(1), alarmStep(2));
    await sender.counted('unanswered', 5);
    expect(sender.outcomes).not.toContain('set_aside');
    sender.log.add(observation(3));
    await sender.counted('acknowledged', 2);
    expect(await sender.setAside()).toMatchObject([{ number: 1, reason: 'it has closed the connection, while others are answered' }]);
    expect(new Set(engine.ids)).toEqual(new Set(idsOf([alarmStep(1), observation(3), alarmStep(2)])));
  });

  it('cannot be made, is set aside without asking anybody', async () => {
    await using engine = await RawEngine.listen(accept);
    await using sender = await new Sender(engine.port).started();
    sender.log.add(quarter(1, { spo2: 7 }), observation(2));
    await sender.counted('acknowledged', 1);
    expect(await sender.setAside()).toMatchObject([{ number: 1, reason: expect.stringContaining('payload measurements.spo2') as string }]);
    expect(engine.ids).toEqual(idsOf([observation(2)]));
  });
});

describe('what is shown', () => {
  it('is asked of the gate for this destination and purpose, at the moment it is sent', async () => {
    await using engine = await RawEngine.listen(accept);
    await using sender = await new Sender(engine.port, { purpose: 'ETREAT' }).started();
    sender.withheld = ({ number }) => number === 2;
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 2);
    expect(engine.ids).toEqual(idsOf([observation(1), observation(3)]));
    expect(sender.shownTo).toEqual(RECORDS.map(() => ({ id: 'engine', purpose: 'ETREAT', by: 'hl7' })));
  });

  it('is nothing that was erased while it waited', async () => {
    const held: Received[] = [];
    await using engine = await RawEngine.listen((received) => void (held.length === 0 ? held.push(received) : accept(received)));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await engine.has(1);
    sender.log.erase(2);
    for (const received of held) accept(received);
    await sender.counted('acknowledged', 2);
    expect(engine.ids).toEqual(idsOf([observation(1), observation(3)]));
  });

  it('is not the past, for a destination that is new; and all that came since, for one that is not', async () => {
    await using engine = await RawEngine.listen(accept);
    await using sender = new Sender(engine.port);
    sender.log.add(observation(1));
    await sender.started();
    await sender.stop();
    sender.log.add(observation(2));
    await sender.started();
    await sender.counted('acknowledged', 1);
    expect(engine.ids).toEqual(idsOf([observation(2)]));
  });

  it('is sent by one of several processes', async () => {
    await using engine = await RawEngine.listen(accept);
    await using sender = await new Sender(engine.port).started();
    const first = sender.outputs;
    const second = sender.start('two');
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 3);
    expect([first, second].map((outputs) => outputs.status()[0]?.sends)).toEqual([true, false]);
    expect(engine.ids).toEqual(idsOf(RECORDS));
    await first.stop();
  });
});

describe('acknowledgements', () => {
  it.each([
    ['original', '||', ['AA']],
    ['application', 'NE|AL', ['AA']],
    ['commit', 'AL|NE', ['CA']],
    ['both', 'AL|AL', ['CA', 'AA']],
  ] as const)('%s are asked for and waited for', async (mode, asked, codes) => {
    await using engine = await RawEngine.listen(({ id, socket }) => void socket.write(codes.map((code) => frame(acknowledgement(code, id))).join('')));
    await using sender = await new Sender(engine.port, { addressing: { ...ADDRESSING, acknowledgement: mode } }).started();
    sender.log.add(...RECORDS);
    await sender.counted('acknowledged', 3);
    expect(engine.ids).toEqual(idsOf(RECORDS));
    expect(engine.received[0]?.text.split('|').slice(14, 16).join('|')).toBe(asked === '||' ? '|' : asked);
  });

  it('that want to be acknowledged are', async () => {
    await using engine = await RawEngine.listen((received) => {
      if (received.text.includes('MSA|')) return;
      received.socket.write(frame(String.raw`MSH|^~\&|ENGINE||VITALGATE||20260101||ACK|A77|P|2.6|||AL|NE` + `\rMSA|AA|${received.id}\r`));
    });
    await using sender = await new Sender(engine.port).started();
    sender.log.add(observation(1));
    await engine.has(2);
    expect(engine.received[1]?.text).toContain('\rMSA|CA|A77\r');
  });
});

describe('stopping', () => {
  it('does not wait for an engine that says nothing, and the message is sent again after the next start', async () => {
    let isAlive = false;
    await using engine = await RawEngine.listen((received) => (isAlive ? accept(received) : undefined));
    await using sender = await new Sender(engine.port).started();
    sender.log.add(...RECORDS);
    await engine.has(1);
    await sender.stop();
    isAlive = true;
    await sender.started();
    await sender.counted('acknowledged', 3);
    expect(engine.ids).toEqual(idsOf([observation(1), ...RECORDS]));
  });

  it('does not wait for a connection either, nor for the next try', async () => {
    await using sender = await new Sender(1, { retry: { base: Seconds(3600), cap: Seconds(3600) } }).started();
    sender.log.add(observation(1));
    while (sender.outputs.status()[0]?.lastError === null) await new Promise((resolve) => setImmediate(resolve));
    await sender.stop();
    expect(sender.outputs.status()[0]).toMatchObject({ connected: false, behind: 1 });
  });
});
