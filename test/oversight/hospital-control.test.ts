import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, PeerError, UsageError } from '../../gateway/errors.ts';
import { hospitalClient, startHospitalControl, type HospitalApi } from '../../gateway/hospital-control.ts';
import { readStatusQuery, type StatusParams } from '../../gateway/oversight/status-query.ts';
import type { Control } from '../../gateway/web/control-socket.ts';

describe('the control socket of a hospital node', () => {
  let folder: string;
  let path: string;
  let control: Control | undefined;
  const asked: unknown[] = [];
  const api = {
    makeToken: (...args: unknown[]) => Promise.resolve({ secret: 'vgt_x', args }),
    tokens: () => Promise.resolve([]),
    revokeTokens: (of: string) => Promise.reject(new UsageError(`nobody is ${of}`)),
    status: (query: StatusParams) => {
      asked.push(readStatusQuery(query));
      return Promise.resolve({ matching: 0 });
    },
  } as unknown as HospitalApi;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-control-'));
    path = join(folder, 'control.sock');
  });
  afterEach(async () => {
    await control?.close();
    control = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  it('is for the owner of the folder, and carries questions and answers', async () => {
    control = await startHospitalControl(path, api);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = hospitalClient(path);
    expect(await client.makeToken('otto')).toMatchObject({ secret: 'vgt_x', args: ['otto', null] });
    expect(await client.tokens()).toEqual([]);
    expect(await client.status({ order: 'lag', limit: '3' })).toEqual({ matching: 0 });
    expect(asked).toEqual([{ order: 'lag', limit: 3 }]);
    await expect(client.revokeTokens('eve')).rejects.toThrow('nobody is eve');
    await expect(client.status({ order: 'luck' })).rejects.toThrow(UsageError);
  });

  it('belongs to one process: a second is refused, and what a killed one left is replaced', async () => {
    control = await startHospitalControl(path, api);
    await expect(startHospitalControl(path, api)).rejects.toThrow(ConfigError);
    expect(await hospitalClient(path).tokens()).toEqual([]);
    await control.close();
    await expect(hospitalClient(path).tokens()).rejects.toThrow(PeerError);
    control = await startHospitalControl(path, api);
    expect(await hospitalClient(path).tokens()).toEqual([]);
  });
});
