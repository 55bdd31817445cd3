/** A device authority over files in memory, and the machine's own openssl as a second opinion. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceCa, type PrivateFiles } from '../../gateway/ingest/device-ca.ts';

export class FilesInMemory implements PrivateFiles {
  readonly texts = new Map<string, string>();
  readonly writes: string[] = [];

  read(name: string): string | undefined {
    return this.texts.get(name);
  }

  write(name: string, text: string): void {
    this.writes.push(name);
    this.texts.set(name, text);
  }

  pathOf(name: string): string {
    return `memory/${name}`;
  }
}

export const newCa = (files: PrivateFiles = new FilesInMemory()): DeviceCa => new DeviceCa(files, randomBytes);

/** A folder for programs that take files. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vitalgate-certificates-'));

  /** Writes a file and returns its path. */
  file(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  openssl(...words: readonly string[]): string {
    return execFileSync('openssl', words, { cwd: this.path, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
