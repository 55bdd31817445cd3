/** The FHIR API as a hospital serves it, without a network; whoever shows the token `<person>:<role>` is that person. */

import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify';
import type { Bundle, OperationOutcome, Resource } from '@medplum/fhirtypes';
import type { StaffDesk } from '../../gateway/fhir/asking.ts';
import type { KnownPermission } from '../../gateway/fhir/permissions.ts';
import { addFhirRoutes } from '../../gateway/fhir/routes.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { RequestError } from '../../gateway/web/request-error.ts';
import { LogBook } from '../upstream/hospital.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { surroundings } from './doubles.ts';

class TestStaff implements StaffDesk {
  readonly gone = new Set<string>();
  readonly #listeners = new Set<() => void>();

  admit({ headers }: Parameters<StaffDesk['admit']>[0], reply: Parameters<StaffDesk['admit']>[1]): ReturnType<StaffDesk['admit']> {
    const [, person, role] = /^Bearer (\w+):(\w+)$/.exec(headers.authorization ?? '') ?? [];
    if (person !== undefined && role !== undefined && !this.gone.has(person)) return { person, role, seesAudit: role === 'administrator' };
    void reply.header('www-authenticate', 'Bearer realm="vitalgate"');
    throw new RequestError(401, 'no_token', 'expected a token');
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dismiss(person: string): void {
    this.gone.add(person);
    for (const listener of this.#listeners) listener();
  }
}

export type Asked = Readonly<{ as?: string; headers?: Readonly<Record<string, string>>; method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'; form?: string }>;

export class TestNode implements AsyncDisposable {
  readonly app: FastifyInstance = fastify();
  readonly around;
  readonly staff = new TestStaff();
  readonly log = new LogBook();
  permissions: readonly KnownPermission[] = [];

  private constructor(records: readonly HospitalRecord[]) {
    this.around = surroundings(records);
  }

  static async with(records: readonly HospitalRecord[]): Promise<TestNode> {
    const node = new TestNode(records);
    node.app.removeAllContentTypeParsers();
    await addFhirRoutes(node.app, {
      ...node.around, name: 'north', staff: node.staff, log: node.log, cursorKey: new Uint8Array(32).fill(7), random: countingBytes(),
      permissions: { of: () => Promise.resolve(node.permissions) },
      gateways: { all: () => Promise.resolve([...new Set(node.around.records.all.map(({ chain }) => chain))]), keyOf: (chain) => Promise.resolve(node.around.records.all.some((record) => record.chain === chain) ? 'cc'.repeat(16) : undefined) },
    });
    return node;
  }

  async ask(path: string, { as = 'nora:clinician', headers = {}, method = 'GET', form }: Asked = {}): Promise<LightMyRequestResponse> {
    return await this.app.inject({
      method, url: path.startsWith('http') ? new URL(path).pathname + new URL(path).search : path,
      headers: { ...(as !== '' && { authorization: `Bearer ${as}` }), ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
      ...(form !== undefined && { payload: form }),
    });
  }

  async found(path: string, asked?: Asked): Promise<readonly Resource[]> {
    return resourcesIn((await this.ask(path, asked)).json());
  }

  /** Over all pages. */
  async all(path: string, asked?: Asked): Promise<readonly (readonly Resource[])[]> {
    const pages: (readonly Resource[])[] = [];
    for (let next: string | undefined = path; next !== undefined;) {
      const bundle: Bundle = (await this.ask(next, asked)).json();
      if (bundle.resourceType !== 'Bundle') throw new Error(JSON.stringify(bundle));
      pages.push(resourcesIn(bundle));
      next = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    }
    return pages;
  }

  async refusal(path: string, asked?: Asked): Promise<readonly [status: number, code: string | undefined]> {
    const { statusCode, ...answer } = await this.ask(path, asked);
    const { resourceType, issue } = JSON.parse(answer.body) as OperationOutcome;
    if (resourceType !== 'OperationOutcome') throw new Error(answer.body);
    return [statusCode, issue[0]?.code];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.app.close();
  }
}

export const resourcesIn = (bundle: Bundle): readonly Resource[] => (bundle.entry ?? []).flatMap(({ resource }) => resource ?? []);
