import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderFiles } from '../../gateway/operations/data-folder.ts';
import { passphraseFrom } from '../../gateway/operations/passphrase.ts';
import { SealedFiles } from '../../gateway/vault/sealed-files.ts';
import { random } from './folder-keys.ts';

const SECRET = `${'5a'.repeat(32)}\n`;

describe('key files', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'vitalgate-keys-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const under = (passphrase: string | undefined, sealsPlain = true): SealedFiles => new SealedFiles({ files: new FolderFiles(folder), passphrase, random, sealsPlain });
  const onDisk = (name: string): string => readFileSync(join(folder, name), 'utf8');

  it('are sealed under a passphrase, read back with it, and no other file is', () => {
    under('correct horse battery').write('gateway.key', SECRET);
    under('correct horse battery').write('ca.crt', 'public');
    expect(onDisk('gateway.key')).toMatch(/^vitalgate-sealed-key-1 argon2id m=65536 t=3 p=1 \S+ \S+ \S+\n$/);
    expect(onDisk('gateway.key')).not.toContain('5a5a');
    expect(onDisk('ca.crt')).toBe('public');
    expect(under('correct horse battery').read('gateway.key')).toBe(SECRET);
  });

  it('that lie there in clear are sealed by their owner, and left alone by who only reads', () => {
    under(undefined).write('gateway.key', SECRET);
    expect(onDisk('gateway.key')).toBe(SECRET);
    expect(under('correct horse battery', false).read('gateway.key')).toBe(SECRET);
    expect(onDisk('gateway.key')).toBe(SECRET);
    expect(under('correct horse battery').read('gateway.key')).toBe(SECRET);
    expect(onDisk('gateway.key')).toMatch(/^vitalgate-sealed-key-1 /);
  });

  it('do not open without the passphrase, with another, when changed, or in another\'s place', () => {
    under('correct horse battery').write('gateway.key', SECRET);
    expect(() => under(undefined).read('gateway.key')).toThrow(/VITALGATE_PASSPHRASE_FILE/);
    expect(() => under('incorrect horse battery').read('gateway.key')).toThrow(/the passphrase is another/);
    const sealed = onDisk('gateway.key');
    new FolderFiles(folder).write('vault.key', sealed);
    expect(() => under('correct horse battery').read('vault.key')).toThrow(/does not open/);
    new FolderFiles(folder).write('gateway.key', sealed.replace(/ \S{4}(\S+)\n$/, ' AAAA$1\n'));
    expect(() => under('correct horse battery').read('gateway.key')).toThrow(/does not open/);
    new FolderFiles(folder).write('gateway.key', 'vitalgate-sealed-key-1 argon2id m=1 t=1 p=1 a b c\n');
    expect(() => under('correct horse battery').read('gateway.key')).toThrow(/does not open/);
  });

  it('have their passphrase from a systemd credential, or from a file that only its owner can read', () => {
    expect(passphraseFrom({})).toBeUndefined();
    expect(passphraseFrom({ CREDENTIALS_DIRECTORY: folder })).toBeUndefined();
    const file = join(folder, 'passphrase');
    writeFileSync(file, 'correct horse battery\n', { mode: 0o600 });
    expect(passphraseFrom({ VITALGATE_PASSPHRASE_FILE: file })).toBe('correct horse battery');
    writeFileSync(join(folder, 'vitalgate-passphrase'), 'another one, longer', { mode: 0o400 });
    expect(passphraseFrom({ CREDENTIALS_DIRECTORY: folder, VITALGATE_PASSPHRASE_FILE: file })).toBe('another one, longer');
    chmodSync(file, 0o640);
    expect(() => passphraseFrom({ VITALGATE_PASSPHRASE_FILE: file })).toThrow(/chmod 600/);
    writeFileSync(file, 'short');
    chmodSync(file, 0o600);
    expect(() => passphraseFrom({ VITALGATE_PASSPHRASE_FILE: file })).toThrow(/at least 12/);
    expect(() => passphraseFrom({ VITALGATE_PASSPHRASE_FILE: join(folder, 'nowhere') })).toThrow(/cannot be read/);
  });
});
