import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Administration, DeviceOrder } from '../../gateway/administration.ts';
import { PeerError, StoreError, UsageError } from '../../gateway/errors.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId } from '../../gateway/reading.ts';
import { controlAnswers, controlClient, startControl } from '../../gateway/web/control.ts';
import type { Control } from '../../gateway/web/control-socket.ts';

type Call = readonly [string, ...unknown[]];
const CLIP = 'clip' as DeviceId;
const ANNA = { kind: 'patient', id: 'anna' } as const;
const ORDER = { device: CLIP, subject: ANNA, credential: { kind: 'password' } } as const;

/** Notes what it was asked to do. */
class AdministrationDouble {
  readonly calls: Call[] = [];
  failure: Error | undefined;

  addDevice(...args: unknown[]): Promise<object> {
    return this.#note('addDevice', args, { device: CLIP, password: 'p', subject: ANNA, topic: 't' });
  }

  revokeDevice(...args: unknown[]): Promise<object> {
    return this.#note('revokeDevice', args, {});
  }

  bindDevice(...args: unknown[]): Promise<object> {
    return this.#note('bindDevice', args, {});
  }

  discover(): Promise<object> {
    return this.#note('discover', [], { strangers: [] });
  }

  quarantine(...args: unknown[]): Promise<object> {
    return this.#note('quarantine', args, { quarantined: [], next: null });
  }

  quarantined(...args: unknown[]): Promise<object> {
    return this.#note('quarantined', args, { sequence: 7 });
  }

  retryQuarantine(...args: unknown[]): Promise<object> {
    return this.#note('retryQuarantine', args, { retried: 0, next: null });
  }

  retryQuarantined(...args: unknown[]): Promise<object> {
    return this.#note('retryQuarantined', args, {});
  }

  makeToken(...args: unknown[]): Promise<object> {
    return this.#note('makeToken', args, { secret: 'vgt_x' });
  }

  tokens(): Promise<object> {
    return this.#note('tokens', [], []);
  }

  revokeTokens(...args: unknown[]): Promise<object> {
    return this.#note('revokeTokens', args, [{ person: 'ann' }]);
  }

  devices(): Promise<object> {
    return this.#note('devices', [], [{ device: CLIP, subject: ANNA }]);
  }

  trace(...args: unknown[]): Promise<object> {
    return this.#note('trace', args, { state: 'sealed' });
  }

  status(): Promise<object> {
    return this.#note('status', [], { chain: 'aa' });
  }

  #note(name: string, args: unknown[], answer: object): Promise<object> {
    this.calls.push([name, ...args]);
    return this.failure === undefined ? Promise.resolve(answer) : Promise.reject(this.failure);
  }
}

describe('the control socket', () => {
  let folder: string;
  let path: string;
  let double: AdministrationDouble;
  let control: Control;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-control-'));
    path = join(folder, 'control.sock');
    // A killed gateway leaves its socket behind.
    writeFileSync(path, '');
    double = new AdministrationDouble();
    control = await startControl(path, double as unknown as Administration);
  });
  afterEach(async () => {
    await control.close();
    rmSync(folder, { recursive: true });
  });

  it('is for its owner alone', () => {
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
  });

  it('carries every request and its answer', async () => {
    const api = controlClient(path);
    expect(await api.status()).toEqual({ chain: 'aa' });
    expect(await api.devices()).toEqual([{ device: CLIP, subject: ANNA }]);
    expect(await api.addDevice({ ...ORDER, credential: { kind: 'password', password: 'a password of mine' } })).toMatchObject({ password: 'p' });
    await api.addDevice({ device: CLIP, credential: { kind: 'certificate', csr: 'a request' } });
    await api.revokeDevice(CLIP);
    expect(await api.trace(CLIP)).toEqual({ state: 'sealed' });
    await api.trace(CLIP, Sequence(41));
    expect(double.calls).toEqual([
      ['status'],
      ['devices'],
      ['addDevice', { device: CLIP, subject: ANNA, credential: { kind: 'password', password: 'a password of mine' } }],
      ['addDevice', { device: CLIP, credential: { kind: 'certificate', csr: 'a request' } }],
      ['revokeDevice', CLIP],
      ['trace', CLIP, undefined],
      ['trace', CLIP, 41],
    ]);
  });

  it('carries what is asked about bindings and the quarantine', async () => {
    const api = controlClient(path);
    await api.bindDevice(CLIP, ANNA, { from: UnixMillis(1), until: UnixMillis(2) });
    await api.bindDevice(CLIP, ANNA);
    expect(await api.discover()).toEqual({ strangers: [] });
    expect(await api.quarantine(Sequence(1))).toEqual({ quarantined: [], next: null });
    await api.quarantine(Sequence(9), { device: 'clip', reason: 'wrong_unit' });
    expect(await api.quarantined(Sequence(7))).toEqual({ sequence: 7 });
    await api.retryQuarantine(Sequence(1), { reason: 'wrong_unit' });
    await api.retryQuarantined(Sequence(7));
    expect(double.calls).toEqual([
      ['bindDevice', CLIP, ANNA, { from: 1, until: 2 }],
      ['bindDevice', CLIP, ANNA, {}],
      ['discover'],
      ['quarantine', 1, {}],
      ['quarantine', 9, { device: 'clip', reason: 'wrong_unit' }],
      ['quarantined', 7],
      ['retryQuarantine', 1, { reason: 'wrong_unit' }],
      ['retryQuarantined', 7],
    ]);
    await expect(api.quarantine(Sequence(1), { reason: 'bad luck' as never })).rejects.toMatchObject({ code: 'VG_USAGE' });
    await expect(api.bindDevice(CLIP, ANNA, { from: UnixMillis(0.5) })).rejects.toMatchObject({ code: 'VG_USAGE' });
  });

  it('carries what is asked about people', async () => {
    const api = controlClient(path);
    expect(await api.makeToken('ann', Millis(9))).toEqual({ secret: 'vgt_x' });
    await api.makeToken('Bo/../b');
    expect(await api.tokens()).toEqual([]);
    expect(await api.revokeTokens('ann/x')).toEqual([{ person: 'ann' }]);
    expect(double.calls).toEqual([['makeToken', 'ann', 9], ['makeToken', 'Bo/../b', undefined], ['tokens'], ['revokeTokens', 'ann/x']]);
    await expect(api.makeToken('ann', Millis(0.5))).rejects.toMatchObject({ code: 'VG_USAGE' });
    await expect(api.makeToken(7 as never)).rejects.toMatchObject({ code: 'VG_USAGE' });
  });

  it('tells a wrong request from a gateway that cannot', async () => {
    const api = controlClient(path);
    double.failure = new UsageError('there is no device clip');
    await expect(api.revokeDevice(CLIP)).rejects.toMatchObject({ code: 'VG_USAGE', message: 'there is no device clip' });
    double.failure = new StoreError('VG_STORE_WRITE', 'the disk is full');
    await expect(api.addDevice(ORDER)).rejects.toMatchObject({ code: 'VG_PEER_REFUSED', message: expect.stringContaining('VG_STORE_WRITE') });
    await expect(api.addDevice({ ...ORDER, device: '.hidden' as DeviceId })).rejects.toMatchObject({ code: 'VG_USAGE' });
    for (const credential of [undefined, { kind: 'face' }, { kind: 'password', password: 7 }, { kind: 'certificate', csr: {} }]) {
      await expect(api.addDevice({ device: CLIP, credential } as unknown as DeviceOrder)).rejects.toMatchObject({ code: 'VG_USAGE', message: expect.stringContaining('"credential"') });
    }
    for (const sequence of [NaN, 0, -1, 1.5]) await expect(api.trace(CLIP, Sequence(sequence))).rejects.toMatchObject({ code: 'VG_USAGE' });
  });

  it('says when nobody answers', async () => {
    expect(await controlAnswers(path)).toBe(true);
    await control.close();
    expect(await controlAnswers(path)).toBe(false);
    await expect(controlClient(path).status()).rejects.toBeInstanceOf(PeerError);
  });

  it('takes a gateway that answers with an error for one that runs', async () => {
    await control.close();
    const failing = createServer((_request, response) => response.writeHead(500).end(JSON.stringify({ error: 'VG_STORE_READ', message: 'cannot read' })));
    await once(failing.listen(path), 'listening');
    expect(await controlAnswers(path)).toBe(true);
    failing.close();
    await once(failing, 'close');
  });
});
