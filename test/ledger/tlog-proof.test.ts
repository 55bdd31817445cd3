import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { formatCheckpoint, originOf } from '../../gateway/ledger/checkpoint.ts';
import { encodeSign1 } from '../../gateway/ledger/cose.ts';
import { ed25519KeyFrom, verifyEd25519 } from '../../gateway/ledger/ed25519.ts';
import { verifyWithNodeCrypto, verifyWithNoble, type SignatureCheck } from '../../gateway/ledger/es256k.ts';
import { append, EMPTY_TREE, leafHash } from '../../gateway/ledger/merkle.ts';
import { inclusionProof } from '../../gateway/ledger/merkle-proof.ts';
import { formatNoteKey, noteKey, parseNoteKey, type NoteKey } from '../../gateway/ledger/note-keys.ts';
import { formatPolicy, judgeCheckpoint, parsePolicy, type Policy } from '../../gateway/ledger/policy.ts';
import { signReceipt } from '../../gateway/ledger/receipt.ts';
import { formatNote, parseNote, type NoteSignature } from '../../gateway/ledger/signed-note.ts';
import { formatProof, parseProof, verifyProof, type ProvenVerdict } from '../../gateway/ledger/tlog-proof.ts';
import { gatewayKey, hospitalKey, NOW, sampleChain, strangerKey } from './chain-fixture.ts';

const both = { es256k: verifyWithNodeCrypto, ed25519: verifyEd25519 };
const ed = ed25519KeyFrom(new Uint8Array(32).fill(4));
const cosigner = ed25519KeyFrom(new Uint8Array(32).fill(5));

let origin: string;
let text: string;
let signatures: Readonly<Record<'header' | 'ed25519' | 'receipt' | 'cosignature', NoteSignature>>;
let keys: Readonly<Record<'header' | 'ed25519' | 'receipt' | 'cosignature', NoteKey>>;
let proof: string;
let policy: Policy;

beforeAll(async () => {
  const [, , r1, , r2] = await sampleChain();
  const block = openBlock((r2 as NonNullable<typeof r2>).sealed.bytes);
  const entries = [...openBlock((r1 as NonNullable<typeof r1>).sealed.bytes).entries, ...block.entries];
  const { header, hash } = block;
  origin = originOf(header);
  text = formatCheckpoint({ origin, size: header.treeSize, root: header.treeRoot });
  const receipt = signReceipt({ chain: header.chain, lane: header.lane, height: header.height, hash, treeSize: header.treeSize, treeRoot: header.treeRoot, time: NOW }, hospitalKey);
  keys = {
    header: noteKey('header', origin, gatewayKey.publicKey), ed25519: noteKey('ed25519', origin, ed.publicKey),
    receipt: noteKey('receipt', 'St.-Anna', hospitalKey.publicKey), cosignature: noteKey('cosignature', 'witness.example', cosigner.publicKey),
  };
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_790_000_000n);
  signatures = {
    header: { ...keys.header, signature: encodeSign1(block.envelope) },
    ed25519: { ...keys.ed25519, signature: ed.sign(Buffer.from(text)) },
    receipt: { ...keys.receipt, signature: receipt },
    cosignature: { ...keys.cosignature, signature: Buffer.concat([time, cosigner.sign(Buffer.from(`cosignature/v1\ntime 1790000000\n${text}`))]) },
  };
  const nodes = new Map(append(EMPTY_TREE, entries.map(leafHash)).nodes.map(({ level, index, hash: node }) => [`${level}/${index}`, node]));
  const path = await inclusionProof(1, header.treeSize, (level, index) => nodes.get(`${level}/${index}`) as Uint8Array);
  proof = formatProof({ proven: { entry: entries[1] as Uint8Array }, index: 1, path, note: formatNote({ text, signatures: Object.values(signatures) }) });
  policy = parsePolicy(formatPolicy({ logs: [keys.header, keys.ed25519], witnesses: [keys.receipt], needed: 1 }));
});

/** What an accepted proof says, or why it is not accepted. */
function outcome(file: string, check: SignatureCheck = verifyWithNodeCrypto, believing = policy): ProvenVerdict | string {
  try {
    return verifyProof(file, believing, { ...both, es256k: check });
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as { reason: string }).reason}`;
  }
}

describe('a .tlog-proof', () => {
  it('is accepted with the signatures of gateway and hospital, and says what it proves', () => {
    expect(outcome(proof)).toMatchObject({ isFinal: true, witnesses: ['St.-Anna'], index: 1, entry: { sequence: 2 }, checkpoint: { origin, size: 4 } });
    expect(formatProof(parseProof(proof))).toBe(proof);
  });

  it('never says anything else when one bit of it is changed, whichever back end judges', { timeout: 120_000 }, () => {
    const bytes = Buffer.from(proof, 'utf8');
    const { entry, checkpoint } = outcome(proof) as ProvenVerdict;
    const said = new Map<string, number>();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      const found = outcome(changed.toString('utf8'));
      // A line whose name was changed is a stranger's: it says nothing, and the rest still does.
      if (typeof found !== 'string') expect([found.entry, found.checkpoint]).toEqual([entry, checkpoint]);
      const word = typeof found === 'string' ? found : found.isFinal ? 'final' : 'not final';
      said.set(word, (said.get(word) ?? 0) + 1);
    }
    expect([...said.keys()].toSorted()).toEqual(['VG_NOTE_REJECTED bad_signature', 'VG_NOTE_REJECTED malformed', 'VG_PROOF_REJECTED wrong_length', 'VG_PROOF_REJECTED wrong_position', 'VG_PROOF_REJECTED wrong_root', 'final', 'not final'].filter((word) => said.has(word)));
    expect(said.get('VG_NOTE_REJECTED malformed')).toBeGreaterThan(100);
    expect(said.get('VG_PROOF_REJECTED wrong_root')).toBeGreaterThan(100);
  });

  it('gets the same verdict of both back ends', () => {
    const lines = proof.split('\n');
    fc.assert(fc.property(fc.nat(lines.length - 1), fc.nat(200), fc.constantFrom('A', 'b', '7', '/'), (line, place, letter) => {
      const old = lines[line] as string;
      const changed = lines.with(line, `${old.slice(0, place)}${letter}${old.slice(place + 1)}`).join('\n');
      expect(outcome(changed, verifyWithNoble)).toEqual(outcome(changed));
    }), { numRuns: 40 });
  });

  it.each([
    ['63 hashes and one more', () => proof.replace(/^index 1\n/m, `index 1\n${`${'A'.repeat(43)}=\n`.repeat(64)}`), 'VG_NOTE_REJECTED malformed'],
    ['a hash of 31 bytes', () => proof.replace(/^index 1\n/m, `index 1\n${Buffer.alloc(31).toString('base64')}\n`), 'VG_NOTE_REJECTED malformed'],
    ['one hash too many', () => proof.replace(/^index 1\n/m, `index 1\n${'A'.repeat(43)}=\n`), 'VG_PROOF_REJECTED wrong_length'],
    ['another leaf number', () => proof.replace(/^index 1$/m, 'index 2'), 'VG_PROOF_REJECTED wrong_root'],
    ['a leaf number beyond 2^53', () => proof.replace(/^index 1$/m, 'index 9999999999999999'), 'VG_NOTE_REJECTED malformed'],
    ['a leaf number with a leading zero', () => proof.replace(/^index 1$/m, 'index 01'), 'VG_NOTE_REJECTED malformed'],
    ['base64 without its padding', () => proof.replace(/=\n/, '\n'), 'VG_NOTE_REJECTED malformed'],
    ['its end cut off', () => proof.slice(0, -20), 'VG_NOTE_REJECTED malformed'],
    ['no checkpoint', () => proof.slice(0, proof.indexOf('\n\n') + 2), 'VG_NOTE_REJECTED malformed'],
    ['a hundred megabytes', () => proof + 'A'.repeat(1e8), 'VG_NOTE_REJECTED malformed'],
    ['nothing in it', () => '', 'VG_NOTE_REJECTED malformed'],
    ['an entry with unordered keys', () => proof.replace(/^extra .*$/m, `extra ${Buffer.from('a2024100014100', 'hex').toString('base64')}`), 'VG_NOTE_REJECTED malformed'],
    ['an array nested a thousand times', () => proof.replace(/^extra .*$/m, `extra ${Buffer.concat([Buffer.alloc(1000, 0x81), Buffer.of(0)]).toString('base64')}`), 'VG_NOTE_REJECTED malformed'],
  ])('with %s is refused', (_what, make, expected) => {
    expect(outcome(make())).toBe(expected);
  });
});

describe('a policy', () => {
  const witnesses = ['a', 'b', 'c', 'd'].map((name, i) => {
    const key = ed25519KeyFrom(new Uint8Array(32).fill(20 + i));
    return { name, key, note: noteKey('ed25519', name, key.publicKey) };
  });
  const textOf = (rules: string): string => `log ${formatNoteKey(keys.header)}\n${witnesses.map(({ name, note }) => `witness ${name} ${formatNoteKey(note)}`).join('\n')}\n${rules}\n`;

  it('is met by enough of a group, and of groups of groups', () => {
    const tree = 'group two 2 a b c\ngroup either any d two\nquorum either';
    fc.assert(fc.property(fc.subarray(witnesses), (signing) => {
      const note = formatNote({ text, signatures: [signatures.header, ...signing.map(({ note: key, key: { sign } }) => ({ ...key, signature: sign(Buffer.from(text)) }))] });
      const names = signing.map(({ name }) => name);
      const expected = names.includes('d') || names.filter((name) => name !== 'd').length >= 2;
      expect(judgeCheckpoint(note, parsePolicy(textOf(tree)), both)).toMatchObject({ isFinal: expected, witnesses: names });
    }));
  });

  it('counts a key once, however often it signed, and nobody it does not know', () => {
    const [a] = witnesses as [(typeof witnesses)[0]];
    const signature = { ...a.note, signature: a.key.sign(Buffer.from(text)) };
    const stranger = { ...noteKey('receipt', 'stranger', strangerKey.publicKey), signature: new Uint8Array(70) };
    const note = formatNote({ text, signatures: [signatures.header, signature, signature, stranger, signatures.cosignature] });
    expect(judgeCheckpoint(note, parsePolicy(textOf('group two 2 a b\nquorum two')), both)).toMatchObject({ isFinal: false, witnesses: ['a'] });
    expect(judgeCheckpoint(note, parsePolicy(textOf('quorum none')), both).isFinal).toBe(true);
  });

  it('knows cosignatures of public witnesses', () => {
    const note = formatNote({ text, signatures: [signatures.ed25519, signatures.cosignature] });
    const rules = `log ${formatNoteKey(keys.ed25519)}\nwitness w ${formatNoteKey(keys.cosignature)}\nquorum w\n`;
    expect(judgeCheckpoint(note, parsePolicy(rules), both)).toMatchObject({ isFinal: true, witnesses: ['w'] });
  });

  it('rejects a note on which a known key\'s signature is not good, and one its log has not signed', () => {
    const bad = { ...signatures.receipt, signature: Uint8Array.from(signatures.receipt.signature).fill(0, 100) };
    const judge = (...lines: readonly NoteSignature[]): unknown => judgeCheckpoint(formatNote({ text, signatures: lines }), policy, both);
    expect(() => judge(signatures.header, bad)).toThrow(/signature of St.-Anna is not good/);
    expect(() => judge(signatures.receipt)).toThrow(/has not signed it/);
    // A header that says another tree is no signature of this one, and neither is a receipt.
    const other = formatCheckpoint({ origin, size: 4, root: new Uint8Array(32) });
    expect(() => judgeCheckpoint(formatNote({ text: other, signatures: [signatures.header] }), policy, both)).toThrow(/is not good/);
    expect(() => judge({ ...signatures.header, ...keys.header, signature: signatures.receipt.signature })).toThrow(/is not good/);
  });

  it.each([
    ['quorum nobody', /line 6: nobody is called "nobody"/],
    ['group g 3 a b\nquorum g', /line 6: "3" of 2/],
    ['group g 1 a a\nquorum g', /line 6: a group has members, each once/],
    ['group a 1 b\nquorum a', /line 6: "a" is taken/],
    ['quorum a\nquorum b', /line 7: expected one line/],
    ['', /says who must countersign/],
    ['allow all', /line 6: "allow" is no rule/],
  ])('that says "%s" is refused with its line', (rules, message) => {
    expect(() => parsePolicy(textOf(rules))).toThrow(message);
  });

  it('refuses one key under two names, and a key whose id is another\'s', () => {
    const again = noteKey('ed25519', 'e', (witnesses[0] as (typeof witnesses)[0]).key.publicKey);
    expect(() => parsePolicy(textOf(`witness e ${formatNoteKey(again)}\nquorum a`))).toThrow(/another witness's, too/);
    expect(() => parseNoteKey(formatNoteKey(again).replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toThrow(/is not that of the key/);
    expect(parseNoteKey(formatNoteKey(again))).toEqual({ ...again, publicKey: Buffer.from(again.publicKey) });
  });
});

describe('a signed note', () => {
  it('holds what was put into it, with as many as a hundred signatures, and nothing with control characters', () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: 'grapheme' }).filter((line) => line !== '' && !/[\p{Cc}]/u.test(line) && line.isWellFormed()), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 100 }), (lines, count) => {
      const note = { text: `${lines.join('\n')}\n`, signatures: Array.from({ length: count }, (_, i) => ({ name: `k${i}`, keyId: i, signature: Buffer.of(i + 1) })) };
      expect(parseNote(formatNote(note))).toEqual(note);
    }));
    expect(() => parseNote('a\u0000b\n\n\u2014 k AAAAAAA=\n')).toThrow(/control characters/);
    expect(() => parseNote('a\n\n\u2014 k+ AAAAAAA=\n')).toThrow(/signature line 1/);
    expect(() => parseNote('a\n')).toThrow(/empty line/);
  });

  it('has the key ids of the specification', () => {
    // The example of signed-note v1.0.0: "PeterNeumann" was made by Go's sumdb/note and is in its tests.
    const key = parseNoteKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    expect([key.kind, key.name, toHex(Buffer.from([key.keyId >>> 24, (key.keyId >>> 16) & 255, (key.keyId >>> 8) & 255, key.keyId & 255]))]).toEqual(['ed25519', 'PeterNeumann', 'c74f20a3']);
  });
});
