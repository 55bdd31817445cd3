import { describe, expect, it } from 'vitest';
import { encodeOperatorAction } from '../../gateway/decode/operator.ts';
import { NOTHING_DERIVED, type Checkpoint } from '../../gateway/derive/derive-store.ts';
import { encodeSignedChange, type SignedChange } from '../../gateway/ledger/change.ts';
import { decodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { changeIn } from '../../gateway/ledger/succession.ts';
import type { Frame, Lane } from '../../gateway/reading.ts';
import { GATEWAY, keyNamed, membership, Pen, replacement, rotation, signedBy } from '../ledger/succession-fixture.ts';
import { bind, deriverFrom, fold, message, operator, plain, pulse, runOf, tick } from './story.ts';

const pen = new Pen();
const options = { begun: { chain: pen.chain, authority: pen.authority } };
const change = (signed: SignedChange): Frame => operator(encodeOperatorAction({ type: 'change', change: encodeSignedChange(signed) }));
const act = (type: 'await_replacement' | 'forgo_replacement'): Frame => operator(encodeOperatorAction({ type }));

const derived = (...frames: readonly Frame[]): readonly Checkpoint[] => deriverFrom(NOTHING_DERIVED, options).deriveNow(runOf(frames)).checkpoints;
const entriesOf = (checkpoints: readonly Checkpoint[]): readonly Readonly<{ lane: Lane; entry: Entry }>[] =>
  checkpoints.flatMap(({ entries }) => entries.map(({ lane, bytes }) => ({ lane, entry: decodeEntry(bytes) })));
const changesOf = (checkpoints: readonly Checkpoint[]): readonly Readonly<{ lane: Lane; entry: Entry }>[] =>
  entriesOf(checkpoints).filter(({ entry }) => entry.kind === 'key_rotation' || entry.kind === 'membership');
const reasonsOf = (checkpoints: readonly Checkpoint[]): readonly string[] => checkpoints.flatMap(({ quarantined }) => quarantined.flatMap(({ rejections }) => rejections.map((each) => each.message)));

const NEW = keyNamed('the next gateway');
const hospitals = ['north', 'south'].map(keyNamed);
const rotated = signedBy(rotation(pen, NEW), GATEWAY, NEW);
const replaced = signedBy(replacement(pen, NEW), NEW, ...hospitals);

describe('a change of who may speak for the chain, derived', () => {
  it('becomes an entry of each lane, neighbours, alarm first, that say what was signed', () => {
    const found = changesOf(derived(tick(), change(rotated)));
    expect(found.map(({ lane, entry }) => [lane, entry.kind, entry.sequence])).toEqual([['alarm', 'key_rotation', 2], ['record', 'key_rotation', 3]]);
    for (const { entry } of found) expect(changeIn(entry)).toEqual(rotated);
  });

  it('is judged with what came before it: twice, or after another of its number, it is refused', () => {
    const joined = signedBy(membership(pen, ['north', 'south', 'west', 'east'], 3), ...hospitals);
    const checkpoints = derived(change(rotated), change(rotated), change(joined));
    expect(changesOf(checkpoints)).toHaveLength(2);
    expect(reasonsOf(checkpoints)).toEqual([expect.stringContaining('makes authority 1, and authority 1 is in force'), expect.stringContaining('makes authority 1')]);
  });

  it('is refused without the signatures it needs, and bytes that are none with it', () => {
    const unsigned = signedBy(rotation(pen, NEW), NEW);
    const garbage = operator(encodeOperatorAction({ type: 'change', change: Buffer.from('garbage') }));
    expect(reasonsOf(derived(change(unsigned), garbage))).toEqual([expect.stringContaining('has not signed the change'), expect.any(String)]);
  });

  it('is refused where nobody knows of which chain it is', () => {
    expect(reasonsOf(deriverFrom(NOTHING_DERIVED, {}).deriveNow(runOf([change(rotated)])).checkpoints)).toEqual([expect.stringContaining('no chain')]);
  });
});

describe('a replacement, derived', () => {
  const story = [bind('w'), act('await_replacement'), message('w', pulse(70)), tick(), act('await_replacement'), message('w', pulse(71)), tick(), change(replaced), tick()];

  it('takes the numbers that were set aside when it was asked for, before all that came since', () => {
    const checkpoints = derived(...story);
    const [asked] = checkpoints.filter(({ succession }) => succession.reserved !== undefined);
    const [alarm, record] = changesOf(checkpoints);
    expect([alarm?.entry.sequence, record?.entry.sequence]).toEqual([asked?.succession.reserved, (asked?.succession.reserved ?? 0) + 1]);
    const numbers = entriesOf(checkpoints).map(({ entry }) => entry.sequence);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(checkpoints.at(-1)?.succession.reserved).toBeUndefined();
  });

  it('is refused when nobody asked for it, or not any more', () => {
    for (const before of [[], [act('await_replacement'), act('forgo_replacement')]]) {
      expect(reasonsOf(derived(...before, change(replaced)))).toEqual([expect.stringContaining('has to be awaited first')]);
    }
  });

  it('comes out the same after a restart at any checkpoint', () => {
    const whole = derived(...story);
    for (let kept = 0; kept <= whole.length; kept++) {
      const state = fold(whole.slice(0, kept));
      const rest = deriverFrom(state, options).deriveNow(runOf(story.slice(state.cursor), state.cursor + 1)).checkpoints;
      expect(plain(rest.map(({ remembered: _, ...each }) => each))).toEqual(plain(whole.slice(kept).map(({ remembered: _, ...each }) => each)));
    }
  });
});
