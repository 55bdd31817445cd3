import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../gateway/errors.ts';
import { FolderFiles, openDataFolder, secretIn } from '../../gateway/operations/data-folder.ts';

const modeOf = (path: string): number => statSync(path).mode & 0o777;
const secret = (): Uint8Array => new Uint8Array(32).fill(7);

describe('data folder', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'vitalgate-data-'));
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  it('is created for its owner alone, with the folders above it', () => {
    const folder = join(base, 'a', 'b');
    expect(openDataFolder(folder)).toEqual({ created: true });
    expect([modeOf(folder), modeOf(join(base, 'a'))]).toEqual([0o700, 0o700]);
    expect(openDataFolder(folder)).toEqual({ created: false });
  });

  it('is refused when others could read it, with the command that mends it', () => {
    const folder = join(base, 'open');
    openDataFolder(folder);
    chmodSync(folder, 0o750);
    expect(() => openDataFolder(folder)).toThrow(new RegExp(`mode 750.*chmod 700 ${folder}`));
  });

  it('says why a folder cannot be created', () => {
    writeFileSync(join(base, 'file'), '');
    expect(() => openDataFolder(join(base, 'file', 'data'))).toThrow(ConfigError);
  });

  it('makes a secret once, for its owner alone, and reads it back', () => {
    const first = secretIn(new FolderFiles(base), 'gateway.key', secret);
    expect(first.created).toBe(true);
    expect(modeOf(first.path)).toBe(0o600);
    const second = secretIn(new FolderFiles(base), 'gateway.key', () => new Uint8Array(32).fill(8));
    expect(second.created).toBe(false);
    expect(Buffer.from(second.secret)).toEqual(Buffer.from(secret()));
    expect(existsSync(`${first.path}.new`)).toBe(false);
  });

  it.each([
    ['readable by others', 0o644, `${'07'.repeat(32)}\n`, /chmod 600/],
    ['too short', 0o600, 'abcd\n', /64 hexadecimal digits/],
    ['not hexadecimal', 0o600, 'z'.repeat(64), /64 hexadecimal digits/],
  ])('refuses a key file that is %s and leaves it alone', (_what, mode, content, message) => {
    const path = join(base, 'gateway.key');
    writeFileSync(path, content);
    chmodSync(path, mode);
    expect(() => secretIn(new FolderFiles(base), 'gateway.key', secret)).toThrow(message);
    expect(modeOf(path)).toBe(mode);
  });
});
