/** The API over a ward, on a free port, with people who have tokens. */

import { Registry } from 'prom-client';
import type { Access } from '../../gateway/people/access.ts';
import { People } from '../../gateway/people/people.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredTokens } from '../../gateway/store/token-store.ts';
import type { ApiOptions } from '../../gateway/web/api.ts';
import { startWeb, type Web } from '../../gateway/web/server.ts';
import { Ward, type WardOptions } from './ward.ts';

const STAFF: readonly Readonly<{ name: string; access: Access }>[] = [
  { name: 'vera', access: 'viewer' }, { name: 'ann', access: 'caregiver' }, { name: 'ben', access: 'caregiver' }, { name: 'cho', access: 'clinician' }, { name: 'otto', access: 'administrator' },
];

export type Sent = Readonly<{ method?: string; headers?: Readonly<Record<string, string>>; body?: string }>;
export type Answered = Readonly<{ status: number; headers: Headers; text: string; json: Record<string, unknown> }>;

/** Different every time, and the same in every run. */
export function counting(): (size: number) => Uint8Array {
  let drawn = 0;
  return (size) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32BE(++drawn, size - 4);
    return bytes;
  };
}

export class CareSite implements AsyncDisposable {
  readonly ward: Ward;
  readonly people: People;
  readonly logged: object[] = [];
  #web: Web | undefined;
  readonly #tokens = new Map<string, string>();

  static async open({ ward = {}, ...options }: Partial<Pick<ApiOptions, 'plainHttp' | 'stream'>> & Readonly<{ ward?: WardOptions; host?: string }> = {}): Promise<CareSite> {
    const people = await People.open({ store: new StoredTokens(openMemoryStore()), people: STAFF, random: counting(), now: () => UnixMillis(1_800_000_000_000) });
    const site = new CareSite(new Ward(ward), people);
    for (const { name } of STAFF) site.#tokens.set(name, (await people.makeToken(name)).secret);
    const { host = '127.0.0.1', ...api } = options;
    site.#web = await startWeb({
      listen: { host, port: 0 },
      blocks: new StoredBlocks(openMemoryStore(), { removePending: false }),
      registry: new Registry(),
      administration: { notReady: () => undefined },
      refresh: () => Promise.resolve(),
      log: { error: (fields) => site.logged.push(fields) },
      api: { desk: site.ward.desk, people, uptime: () => Millis(0), plainHttp: false, ...api },
    });
    return site;
  }

  private constructor(ward: Ward, people: People) {
    this.ward = ward;
    this.people = people;
  }

  get address(): string {
    return this.#web?.address ?? '';
  }

  token(name: string): string {
    return this.#tokens.get(name) ?? '';
  }

  /** As somebody with a token, or as nobody. */
  async ask(who: string | undefined, path: string, init: Sent = {}): Promise<Answered> {
    const authorization = who === undefined ? {} : { authorization: `Bearer ${this.token(who)}` };
    const response = await fetch(this.address + path, { ...init, headers: { ...authorization, ...init.headers } });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
  }

  async send(who: string | undefined, path: string, body: unknown, method = 'POST'): Promise<Answered> {
    return await this.ask(who, path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#web?.close();
  }
}
