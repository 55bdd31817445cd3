import { describe, expect, it } from 'vitest';
import { formatCheckpoint } from '../../gateway/ledger/checkpoint.ts';
import { ed25519KeyFrom, verifyEd25519 } from '../../gateway/ledger/ed25519.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { formatGrowth, parseGrowth, verifyGrowth } from '../../gateway/ledger/growth-proof.ts';
import { append, EMPTY_TREE, leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { consistencyProof } from '../../gateway/ledger/merkle-proof.ts';
import { formatNoteKey, noteKey } from '../../gateway/ledger/note-keys.ts';
import { parsePolicy } from '../../gateway/ledger/policy.ts';
import { formatNote } from '../../gateway/ledger/signed-note.ts';
import { entryOf } from './chain-fixture.ts';

const key = ed25519KeyFrom(new Uint8Array(32).fill(6));
const log = noteKey('ed25519', 'log.example', key.publicKey);
const policy = parsePolicy(`log ${formatNoteKey(log)}\nquorum none\n`);
const leaves = Array.from({ length: 23 }, (_, i) => leafHash(entryOf(i + 1)));
const { nodes } = append(EMPTY_TREE, leaves);
const byPlace = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]));

function noteOf(size: number, origin = log.name): string {
  const text = formatCheckpoint({ origin, size, root: rootOf(append(EMPTY_TREE, leaves.slice(0, size)).tree) });
  return formatNote({ text, signatures: [{ ...log, signature: key.sign(Buffer.from(text)) }] });
}
const growth = async (from: number, to: number): Promise<string> =>
  formatGrowth({ older: noteOf(from), newer: noteOf(to), path: await consistencyProof(from, to, (level, index) => byPlace.get(`${level}/${index}`) as Uint8Array) });
const outcome = (text: string): string => {
  try {
    const { older, newer } = verifyGrowth(text, policy, { es256k: verifyWithNodeCrypto, ed25519: verifyEd25519 });
    return `${older.checkpoint.size} to ${newer.checkpoint.size}`;
  } catch (error) {
    return (error as { reason: string }).reason;
  }
};

describe('a proof of growth', () => {
  it('shows every older tree to be the beginning of every newer one', async () => {
    for (let from = 1; from <= 23; from++) {
      for (let to = from; to <= 23; to++) {
        const text = await growth(from, to);
        expect(outcome(text)).toBe(`${from} to ${to}`);
        expect(formatGrowth(parseGrowth(text))).toBe(text);
      }
    }
  });

  it('shows nothing else when one bit of it is changed', async () => {
    const text = Buffer.from(await growth(6, 21), 'utf8');
    for (let bit = 0; bit < text.length * 8; bit++) {
      const changed = Buffer.from(text);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(['6 to 21', 'malformed', 'bad_signature', 'wrong_root', 'wrong_length', 'wrong_position']).toContain(outcome(changed.toString('utf8')));
    }
  });

  it('is refused when the checkpoints are swapped, a hash is missing, or the file is none', async () => {
    const [first, older = '', newer = '', ...rest] = (await growth(6, 21)).split('\n');
    expect(outcome([first, newer.replace('newer', 'older'), older.replace('older', 'newer'), ...rest].join('\n'))).toBe('wrong_position');
    expect(outcome([first, older, newer, ...rest.slice(1)].join('\n'))).toBe('wrong_length');
    for (const text of ['', `${first}\n`, [first, older, newer, ...rest].join('\r\n'), [first, older, newer, 'AAAA', ''].join('\n'), [first, older, newer, ...Array.from({ length: 65 }, () => rest[0]), ''].join('\n')]) expect(outcome(text)).toBe('malformed');
  });
});
