import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Credential, CredentialStore } from '../../gateway/ingest/devices.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { StoredCredentials } from '../../gateway/store/credential-store.ts';
import { credentialKey } from '../../gateway/store/keys.ts';
import { STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';

const idOf = (text: string): DeviceId => text as DeviceId;
const credentialOf = (device: string, fill = 1): Credential => ({
  kind: 'password', device: idOf(device), salt: Buffer.alloc(16, fill), hash: Buffer.alloc(32, fill + 1), memory: 19_456, passes: 2, parallelism: 1,
});
const found = async (store: CredentialStore, device: string): Promise<Credential | undefined> => await store.find(idOf(device));

describe.each(STORES)('a credential store, $name', ({ open }) => {
  it('finds what was put, after it was opened again, and nothing else', async () => {
    await using engine = await open();
    const before = new StoredCredentials(engine.store);
    expect(await before.list()).toEqual([]);
    await before.put(credentialOf('watch'));
    await before.put(credentialOf('watch-1', 7));
    const store = new StoredCredentials(await engine.reopen());
    expect(await found(store, 'watch')).toEqual(credentialOf('watch'));
    expect(await found(store, 'watch-1')).toEqual(credentialOf('watch-1', 7));
    for (const other of ['watc', 'watch-', 'Watch', 'watch-10']) expect(await found(store, other)).toBeUndefined();
    expect(await store.list()).toEqual(['watch', 'watch-1']);
  });

  it('replaces a credential, and removes one once', async () => {
    await using engine = await open();
    const store = new StoredCredentials(engine.store);
    await store.put(credentialOf('watch'));
    await store.put(credentialOf('watch', 9));
    expect(await found(store, 'watch')).toEqual(credentialOf('watch', 9));
    expect(await store.list()).toEqual(['watch']);
    expect(await store.remove(idOf('watch'))).toBe(true);
    expect(await store.remove(idOf('watch'))).toBe(false);
    expect(await found(store, 'watch')).toBeUndefined();
    expect(await new StoredCredentials(await engine.reopen()).list()).toEqual([]);
  });

  it('replaces a password by a certificate, and that by a password', async () => {
    await using engine = await open();
    const store = new StoredCredentials(engine.store);
    const certificate: Credential = { kind: 'certificate', device: idOf('watch'), fingerprint: Buffer.alloc(32, 3) };
    for (const credential of [credentialOf('watch'), certificate, credentialOf('watch')]) {
      await store.put(credential);
      expect(await found(store, 'watch')).toEqual(credential);
    }
    expect(await store.list()).toEqual(['watch']);
  });

  it('keeps any bytes and costs', async () => {
    await using engine = await open();
    const store = new StoredCredentials(engine.store);
    const bytes = fc.uint8Array().map((each) => Buffer.from(each));
    const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/).map(idOf);
    const credential = fc.oneof(
      fc.record({
        kind: fc.constant('password' as const), device: name, salt: bytes, hash: bytes,
        memory: fc.nat(), passes: fc.nat(), parallelism: fc.nat(),
      }),
      fc.record({ kind: fc.constant('certificate' as const), device: name, fingerprint: bytes }),
    );
    await fc.assert(fc.asyncProperty(credential, async (each) => {
      await store.put(each);
      expect(await store.find(each.device)).toEqual(each);
    }), { numRuns: 30 });
  });

  it('keeps no password, and refuses to guess when the disk fails', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const store = new StoredCredentials(faulty);
    faulty.writeFaults.push('nothing written');
    await expect(store.put(credentialOf('watch'))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await store.put(credentialOf('watch'));
    expect(JSON.parse(Buffer.from(await engine.store.get(credentialKey('watch')) as Uint8Array).toString())).toEqual({
      salt: expect.any(String) as string, hash: expect.any(String) as string, memory: 19_456, passes: 2, parallelism: 1,
    });
    const fingerprint = Buffer.alloc(32, 5);
    await store.put({ kind: 'certificate', device: idOf('band'), fingerprint });
    expect(JSON.parse(Buffer.from(await engine.store.get(credentialKey('band')) as Uint8Array).toString())).toEqual({ fingerprint: fingerprint.toString('base64') });
    faulty.readFaults = 1;
    await expect(found(store, 'watch')).rejects.toMatchObject({ code: 'VG_STORE_READ' });
    await engine.alter(credentialKey('watch'));
    await expect(found(new StoredCredentials(engine.store), 'watch')).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
  });
});
