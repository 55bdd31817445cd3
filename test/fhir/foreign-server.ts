/**
 * Another system's FHIR server over HTTP, as strict as any: transactions are atomic, conditional creates are looked up under a lock, an identifier may stand in a
 * bundle once, references must lead somewhere, and what a validator refuses is refused. It fails, is slow and contradicts as a test says.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bundle, BundleEntry, Identifier, Resource } from '@medplum/fhirtypes';
import { bindingFaults } from './gates.ts';

/** What to do instead of, or besides, taking a transaction. */
export type Mischief =
  | Readonly<{ status: number; headers?: Readonly<Record<string, string>>; body?: unknown }>
  /** It is taken, and nobody hears of it. */
  | 'cut after'
  | 'hang up'
  | undefined;

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const outcome = (code: string, diagnostics: string): object => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, diagnostics }] });

export class ForeignServer implements AsyncDisposable {
  /** By `Type/id`. */
  readonly resources = new Map<string, Resource>();
  /** Every request body that was read, in order. */
  readonly bundles: Bundle[] = [];
  readonly authorisations: (string | undefined)[] = [];
  mischief: (bundle: Bundle, attempt: number) => Mischief = () => undefined;
  /** Whether resources are held against FHIR. */
  validates = true;
  refuses: (resource: Resource) => string | undefined = () => undefined;
  readonly #server: Server;
  readonly #indexed = new Set<string>();
  readonly #byToken = new Map<string, readonly string[]>();
  #next = 1;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<ForeignServer> {
    const foreign = new ForeignServer();
    foreign.#server.listen(0, '127.0.0.1');
    await once(foreign.#server, 'listening');
    return foreign;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  ofType(type: Resource['resourceType']): readonly Resource[] {
    return [...this.resources.values()].filter(({ resourceType }) => resourceType === type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const bundle = JSON.parse(Buffer.concat(parts).toString('utf8')) as Bundle;
    this.authorisations.push(request.headers.authorization);
    this.bundles.push(bundle);
    const mischief = this.mischief(bundle, this.bundles.length);
    if (mischief === 'hang up') {
      response.destroy();
      return;
    }
    if (typeof mischief === 'object') {
      this.#send(response, mischief.status, mischief.body ?? outcome('processing', 'as the test says'), mischief.headers);
      return;
    }
    try {
      if (request.headers['content-type']?.startsWith('application/fhir+json') !== true) throw new Refusal(415, 'expected application/fhir+json');
      const answer = this.#transact(bundle);
      if (mischief === 'cut after') response.destroy();
      else this.#send(response, 200, answer);
    } catch (error) {
      this.#send(response, error instanceof Refusal ? error.status : 500, outcome(error instanceof Refusal ? 'invalid' : 'exception', (error as Error).message));
    }
  }

  #send(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    response.writeHead(status, { 'content-type': 'application/fhir+json', ...headers }).end(JSON.stringify(body));
  }

  /** Everything or nothing. */
  #transact({ resourceType, type, entry = [] }: Bundle): Bundle {
    if (resourceType !== 'Bundle' || type !== 'transaction') throw new Refusal(400, 'expected a transaction');
    if (entry.length > 500) throw new Refusal(413, 'at most 500 entries');
    refuseRepeated('fullUrl', entry.map(({ fullUrl }) => fullUrl));
    refuseRepeated('ifNoneExist', entry.map(({ request }) => `${request?.url ?? ''}?${request?.ifNoneExist ?? ''}`));
    const placed = entry.map((each) => this.#place(each));
    const addresses = new Map(placed.map(({ fullUrl, address }) => [fullUrl, address]));
    const created = placed.flatMap(({ isNew, address, resource }) => (isNew ? [[address, { ...(this.#resolved(resource, addresses) as Resource), id: address.split('/')[1] } as Resource] as const] : []));
    for (const [address, resource] of created) {
      this.resources.set(address, resource);
      this.#index(address, resource);
    }
    return { resourceType: 'Bundle', type: 'transaction-response', entry: placed.map(({ isNew, address }) => ({ response: { status: isNew ? '201 Created' : '200 OK', location: `${address}/_history/1` } })) };
  }

  #place({ fullUrl = '', resource, request }: BundleEntry): Readonly<{ fullUrl: string; address: string; isNew: boolean; resource: Resource }> {
    if (resource === undefined || request?.method !== 'POST' || request.url !== resource.resourceType) throw new Refusal(400, 'expected a POST of the type of the resource');
    const refused = this.refuses(resource);
    const faults = this.validates ? bindingFaults(resource) : [];
    if (refused !== undefined || faults.length > 0) throw new Refusal(422, refused ?? faults.join('; '));
    const there = request.ifNoneExist === undefined ? [] : this.#search(resource.resourceType, request.ifNoneExist);
    if (there.length > 1) throw new Refusal(412, 'several match');
    return { fullUrl, address: there[0] ?? `${resource.resourceType}/s${this.#next++}`, isNew: there.length === 0, resource };
  }

  #search(type: string, query: string): readonly string[] {
    const [[name, text] = ['', '']] = [...new URLSearchParams(query)];
    if (name !== '_tag' && name !== 'identifier') throw new Refusal(400, `no search by ${name}`);
    // Tests put resources here themselves: those are looked at again.
    if (this.#indexed.size < this.resources.size) for (const [address, resource] of this.resources) if (!this.#indexed.has(address)) this.#index(address, resource);
    return this.#byToken.get(`${type} ${name} ${text}`) ?? [];
  }

  #index(address: string, resource: Resource): void {
    this.#indexed.add(address);
    const identifiers = ((resource as { identifier?: Identifier[] }).identifier ?? []).map(({ system, value }) => `identifier ${system}|${value}`);
    for (const token of [...identifiers, ...(resource.meta?.tag ?? []).map(({ system, code }) => `_tag ${system}|${code}`)]) {
      const key = `${resource.resourceType} ${token}`;
      this.#byToken.set(key, [...(this.#byToken.get(key) ?? []), address]);
    }
  }

  #resolved(value: unknown, addresses: ReadonlyMap<string, string>): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#resolved(each, addresses));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]): [string, unknown] => {
      if (name !== 'reference' || typeof each !== 'string') return [name, this.#resolved(each, addresses)];
      const address = addresses.get(each) ?? each;
      if (!addresses.has(each) && !this.resources.has(each)) throw new Refusal(400, `${each} leads nowhere`);
      return [name, address];
    }));
  }
}

function refuseRepeated(what: string, all: readonly (string | undefined)[]): void {
  const present = all.filter((each) => each !== undefined);
  if (new Set(present).size !== present.length) throw new Refusal(400, `the same ${what} twice`);
}
