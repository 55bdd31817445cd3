import fc from 'fast-check';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderFiles } from '../../gateway/operations/data-folder.ts';
import { rootKeyIn } from '../../gateway/vault/root-key.ts';
import { KeyringFile } from '../../gateway/vault/keyring-file.ts';
import { Keyring, type VaultKey } from '../../gateway/vault/keyring.ts';
import { keyringIn, random } from './folder-keys.ts';
import { memoryKeyring, MemoryShelf } from './known-keys.ts';

const plain = (keys: readonly VaultKey[]): unknown[] => keys.map((key) => ({ ...key, secret: Buffer.from(key.secret).toString('hex') }));

describe('a keyring', () => {
  it('has one key for an owner and epoch, and another for the next epoch', () => {
    const keyring = memoryKeyring();
    const first = keyring.current('patient/anna');
    expect(keyring.current('patient/anna')).toBe(first);
    expect(first).toMatchObject({ epoch: 1, about: ['patient/anna'] });
    keyring.enter(2);
    expect(keyring.current('patient/anna')).toMatchObject({ epoch: 2, about: ['patient/anna'] });
    expect(keyring.byId(first.id)).toBe(first);
  });

  it('turns the key of a device that changes hands, and remembers of whom each tells', () => {
    const keyring = memoryKeyring();
    const nobodys = keyring.current('device/w');
    const annas = keyring.turn('device/w', ['patient/anna']);
    keyring.alsoAbout('device/w', ['patient/otto']);
    keyring.enter(2);
    expect(keyring.current('device/w').about).toEqual(['patient/anna', 'patient/otto']);
    expect([nobodys.about, keyring.byId(annas.id)?.about]).toEqual([[], ['patient/anna', 'patient/otto']]);
  });

  it('knows what was saved, and nothing of what was destroyed', () => {
    const shelf = new MemoryShelf();
    const keyring = memoryKeyring(shelf);
    const [anna, otto] = [keyring.current('patient/anna'), keyring.current('patient/otto')];
    expect(shelf.keys).toEqual([]);
    keyring.save();
    keyring.destroy(new Set([anna.id]));
    expect(keyring.byId(anna.id)).toBeUndefined();
    expect(Buffer.from(anna.secret).every((byte) => byte === 0)).toBe(true);
    expect(plain(new Keyring(shelf, random).all())).toEqual(plain([otto]));
    expect(keyring.current('patient/anna').id).not.toBe(anna.id);
  });
});

describe('a keyring on disk', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'vitalgate-vault-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const files = (): string[] => readdirSync(folder).toSorted();
  const filled = (...owners: readonly string[]): Keyring => {
    const keyring = keyringIn(folder, { readOnly: false });
    for (const owner of owners) {
      keyring.current(owner);
      keyring.save();
    }
    return keyring;
  };

  it('holds what was saved, also for who only reads, and nothing of it in clear', () => {
    const keys = filled('patient/anna', 'device/w', 'gateway').all();
    for (const readOnly of [true, false]) expect(plain(keyringIn(folder, { readOnly }).all())).toEqual(plain(keys));
    const bytes = readFileSync(join(folder, 'keyring.1'));
    for (const { secret } of keys) expect(bytes.includes(Buffer.from(secret))).toBe(false);
    expect(bytes.includes('anna')).toBe(false);
    expect(() => keyringIn(folder, { readOnly: true }).turn('patient/otto', []) && keyringIn(folder, { readOnly: true }).adopt(keys)).not.toThrow();
  });

  it('destroys keys by beginning anew under another root key, and leaves nothing of the file before', () => {
    const keyring = filled('patient/anna', 'patient/otto');
    const before = { root: readFileSync(join(folder, 'vault.key'), 'utf8'), ring: readFileSync(join(folder, 'keyring.1')) };
    keyring.destroy(new Set([keyring.current('patient/anna').id]));
    expect(files()).toEqual(['keyring.2', 'vault.key']);
    expect(keyringIn(folder, { readOnly: true }).all().map(({ owner }) => owner)).toEqual(['patient/otto']);
    // Who kept a copy of the file needs the root key of its time.
    writeFileSync(join(folder, 'keyring.1'), before.ring);
    expect(readFileSync(join(folder, 'vault.key'), 'utf8')).not.toBe(before.root);
    keyring.current('patient/eve');
    keyring.save();
    expect(keyringIn(folder, { readOnly: false }).all().map(({ owner }) => owner)).toEqual(['patient/otto', 'patient/eve']);
    expect(existsSync(join(folder, 'keyring.1'))).toBe(false);
  });

  it('is whole whatever length the last save was cut to, and goes on from there', () => {
    const whole = filled('a', 'b', 'c').all();
    const size = readFileSync(join(folder, 'keyring.1')).length;
    const ends = whole.map((_, i) => i);
    fc.assert(fc.property(fc.integer({ min: 4, max: size }), (length) => {
      truncateSync(join(folder, 'keyring.1'), length);
      const left = keyringIn(folder, { readOnly: false });
      expect(ends).toContain(Math.min(left.all().length, 2));
      const added = left.turn('d', []);
      left.save();
      expect(keyringIn(folder, { readOnly: true }).byId(added.id)).toBeDefined();
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'vitalgate-vault-'));
      filled('a', 'b', 'c');
    }), { numRuns: 30 });
  });

  it('is refused when it was changed, when its root key is of another or gone, and when others can read that', () => {
    filled('patient/anna');
    const [ring, root] = [readFileSync(join(folder, 'keyring.1')), readFileSync(join(folder, 'vault.key'), 'utf8')];
    ring[ring.length - 1] = (ring.at(-1) as number) ^ 1;
    writeFileSync(join(folder, 'keyring.1'), ring);
    expect(() => keyringIn(folder, { readOnly: false })).toThrow(/does not open/);
    writeFileSync(join(folder, 'vault.key'), `1 ${'00'.repeat(32)}\n`);
    expect(() => keyringIn(folder, { readOnly: false })).toThrow(/vault.key is of another gateway/);
    writeFileSync(join(folder, 'vault.key'), 'nonsense');
    expect(() => keyringIn(folder, { readOnly: false })).toThrow(/64 hexadecimal digits/);
    chmodSync(join(folder, 'vault.key'), 0o644);
    expect(() => keyringIn(folder, { readOnly: false })).toThrow(/chmod 600/);
    rmSync(join(folder, 'vault.key'));
    expect(() => keyringIn(folder, { readOnly: false })).toThrow(/root key is missing/);
    expect(root).toMatch(/^1 [0-9a-f]{64}\n$/);
  });

  it('keeps the generation before when the new one cannot be written', () => {
    const place = rootKeyIn(new FolderFiles(folder));
    const keyring = new Keyring(new KeyringFile({ folder, random, root: { read: place.read, write: (key) => { if (key.generation > 1) throw new Error('the disk is full'); place.write(key); } } }), random);
    const key = keyring.current('patient/anna');
    keyring.save();
    expect(() => keyring.destroy(new Set([key.id]))).toThrow(/the disk is full/);
    expect(keyring.byId(key.id)).toBe(key);
    expect(plain(keyringIn(folder, { readOnly: false }).all())).toEqual(plain([key]));
    expect(files()).toEqual(['keyring.1', 'vault.key']);
  });
});
