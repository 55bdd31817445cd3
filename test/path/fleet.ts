/** A hospital node as its users set it up, and gateways that are no more than their pens: they offer real blocks over mutual TLS. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { makeNodeCertificate, type NodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { lanePath } from '../upstream/hospital.ts';
import { Program, vitalgate, type Ended } from './program.ts';

export type FleetAnswer = Readonly<{ status: number; text: string; json: Record<string, unknown> }>;

const STAFF = [{ name: 'otto', role: 'administrator' }, { name: 'cho', role: 'clinician' }];

export class Fleet implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vitalgate-fleet-'));
  readonly data = join(this.folder, 'hospital');
  readonly config = join(this.folder, 'vitalgate.yaml');
  readonly #certificates = new Map<string, Promise<NodeCertificate>>();
  readonly #programs: Program[] = [];
  #address = '';

  /** Nothing runs yet. `upstream`: settings that replace those of the fleet. */
  constructor(upstream: Readonly<Record<string, unknown>> = {}) {
    this.configure(upstream);
  }

  /** Writes the configuration; what runs does not heed it. */
  configure(upstream: Readonly<Record<string, unknown>>): void {
    writeFileSync(this.config, stringify({ upstream: { name: 'north', data: this.data, listen: '127.0.0.1:0', gateways: 'open', people: STAFF, ...upstream } }), { mode: 0o600 });
  }

  /** Starts the node; resolves when it listens. */
  async start(): Promise<Program> {
    const program = new Program(['upstream', '--config', this.config]);
    this.#programs.push(program);
    this.#address = /https?:\/\/[^,]+/.exec(await program.ready())?.[0] ?? '';
    return program;
  }

  /** Ends the node that runs. */
  async stop(): Promise<void> {
    await Promise.all(this.#programs.filter(({ isOver }) => !isOver).map((program) => program.stop()));
  }

  get address(): string {
    return this.#address;
  }

  async command(...words: readonly string[]): Promise<Ended> {
    return await vitalgate('upstream', ...words, '--config', this.config);
  }

  /** A new token of somebody. */
  async token(person: string): Promise<string> {
    const { code, stdout, stderr } = await this.command('token', person, '--json');
    if (code !== 0) throw new Error(stderr);
    return (JSON.parse(stdout) as { secret: string }).secret;
  }

  async get(path: string, token?: string, headers: Readonly<Record<string, string>> = {}): Promise<FleetAnswer> {
    const response = await nodeFetch(new URL(path, this.#address), { headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } });
    return answerOf(response.status, await response.text());
  }

  writer(gateway: string): ChainWriter {
    const key = keyOf(gateway);
    return new ChainWriter('record', parametersOf(['north'], key), key);
  }

  /** Offers bytes as the block of that height, as the gateway of that name. */
  async offer(gateway: string, writer: ChainWriter, height: number, bytes = writer.at(height).bytes): Promise<FleetAnswer> {
    const { certificate: cert, key } = await this.#certificateOf(gateway);
    return await new Promise((resolve, reject) => {
      const options = { method: 'PUT', cert, key, rejectUnauthorized: false, agent: false, headers: { 'content-type': 'application/cbor', 'content-length': bytes.length } } as const;
      const sent = request(new URL(`${lanePath(writer.id)}/blocks/${height}`, this.#address), options, (response) => {
        response.toArray().then((parts) => resolve(answerOf(response.statusCode ?? 0, Buffer.concat(parts as Buffer[]).toString('latin1'))), reject);
      });
      sent.on('error', reject);
      sent.end(bytes);
    });
  }

  /** Seals so many blocks and offers each; throws for one that is not taken. */
  async send(gateway: string, writer: ChainWriter, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await writer.seal();
      const height = writer.blocks.length - 1;
      const { status, text } = await this.offer(gateway, writer, height);
      if (status !== 201) throw new Error(`block ${height}: ${status} ${text}`);
    }
  }

  async #certificateOf(gateway: string): Promise<NodeCertificate> {
    let made = this.#certificates.get(gateway);
    if (made === undefined) this.#certificates.set(gateway, (made = makeNodeCertificate(keyOf(gateway), (size) => randomBytes(size))));
    return await made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function answerOf(status: number, text: string): FleetAnswer {
  return { status, text, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
}
