import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openBlock } from '../../gateway/ledger/block.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { needs } from '../debian-packages.ts';
import { Program, until, vitalgate } from '../path/program.ts';
import { startPostgres } from '../postgres.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { type HttpAnswer, offerFrom } from '../upstream/hospital.ts';

const GATEWAYS = 6;
const RETRY_MS = 20;
const needed = needs('postgresql');

/** Several processes of one hospital: one key, one store, a data folder each. */
class Processes implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vitalgate-hospital-'));
  readonly #running: { program: Program; address: string }[] = [];
  key: Uint8Array = new Uint8Array();

  static async start(count: number, store: string): Promise<Processes> {
    const processes = new Processes();
    const { stdout } = await vitalgate('upstream', '--print-key', '--data', processes.#dataOf(0));
    processes.key = Buffer.from(stdout.trim(), 'hex');
    for (let n = 1; n < count; n++) {
      cpSync(processes.#dataOf(0), processes.#dataOf(n), { recursive: true });
      chmodSync(processes.#dataOf(n), 0o700);
    }
    for (let n = 0; n < count; n++) {
      const upstream = { name: `north-${n}`, data: processes.#dataOf(n), listen: '127.0.0.1:0', gateways: 'open', tls: 'none', store };
      writeFileSync(processes.#configOf(n), stringify({ upstream }), { mode: 0o600 });
    }
    const started = await Promise.allSettled(Array.from({ length: count }, (_, n) => processes.restart(n)));
    const failed = started.find((each) => each.status === 'rejected');
    if (failed === undefined) return processes;
    await processes[Symbol.asyncDispose]();
    throw failed.reason;
  }

  #dataOf(n: number): string {
    return join(this.#folder, `data${n}`);
  }

  #configOf(n: number): string {
    return join(this.#folder, `config${n}.yaml`);
  }

  async restart(n: number): Promise<void> {
    const program = new Program(['upstream', '--config', this.#configOf(n)]);
    const address = /http:\/\/[^,]+/.exec(await program.ready())?.[0] ?? '';
    this.#running[n] = { program, address };
  }

  async kill(n: number): Promise<void> {
    await this.#running[n]?.program.kill();
  }

  address(n: number): string {
    return this.#running[n % this.#running.length]?.address ?? '';
  }

  get programs(): readonly Program[] {
    return this.#running.map(({ program }) => program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(({ program }) => program.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Offers what it seals to one process after the other, each block until somebody has countersigned it. */
class Gateway {
  readonly writer: ChainWriter;
  /** Receipts by height. */
  readonly receipts: Uint8Array[] = [];
  readonly #processes: Processes;
  #turn: number;

  constructor(n: number, processes: Processes) {
    const key = keyOf(`gateway ${n}`);
    this.writer = new ChainWriter('record', parametersOf(['north'], key), key);
    this.#processes = processes;
    this.#turn = n;
  }

  async send(): Promise<void> {
    const { height, hash } = await this.writer.seal();
    const answer = await until(`block ${height} is countersigned`, async () => await this.#offer(height));
    verifyReceipt(answer.bytes, { key: this.#processes.key, ...this.writer.id, height, hash });
    this.receipts[height] = answer.bytes;
  }

  async #offer(height: number): Promise<HttpAnswer | undefined> {
    const answer = await offerFrom(this.#processes.address(this.#turn++), this.writer, height).catch(() => undefined);
    if (answer?.status === 200 || answer?.status === 201) return answer;
    if (answer !== undefined && answer.status !== 503) throw new Error(`${answer.status} ${answer.text}`);
    await pause(RETRY_MS);
    return undefined;
  }
}

describe.skipIf(needed.missing)(`two processes of a hospital over one PostgreSQL${needed.note}`, () => {
  it('countersign each height once, and lose nothing when a process and then the primary are killed', async () => {
    await using postgres = await startPostgres({ standbys: 2 });
    await using processes = await Processes.start(2, postgres.url);
    const gateways = Array.from({ length: GATEWAYS }, (_, n) => new Gateway(n, processes));
    const count = (): number => gateways.reduce((sum, { receipts }) => sum + receipts.length, 0);
    let over = false;
    const all = Promise.all(gateways.map(async (gateway) => {
      while (!over) await gateway.send();
    }));
    const more = async (blocks: number): Promise<void> => {
      const goal = count() + blocks;
      await Promise.race([until('more is countersigned', () => count() >= goal), all]);
    };
    await more(100);
    await processes.kill(0);
    await more(100);
    await processes.restart(0);
    await more(100);
    await postgres.primary.kill();
    await postgres.promote();
    await more(200);
    over = true;
    await all;
    for (const program of processes.programs) expect(program.isOver).toBe(false);

    const { blocks, close } = await openPostgres([postgres.url], { durability: 'replicated' });
    expect(await blocks.forks()).toEqual([]);
    for (const { writer, receipts } of gateways) {
      expect((await verifyChain(blocks.blocks(writer.id, 0))).ok).toBe(true);
      for (const [height, receipt] of receipts.entries()) {
        const recorded = openBlock((await blocks.block(writer.id, height)) ?? new Uint8Array());
        const kept = await blocks.receipts(writer.id, height);
        for (const each of [receipt, ...kept]) verifyReceipt(each, { key: processes.key, ...writer.id, height, hash: recorded.hash });
      }
    }
    await close();
  });

  it('countersign one of two stories that are told to each of them at the same time', async () => {
    await using postgres = await startPostgres({ standbys: 1 });
    await using processes = await Processes.start(2, postgres.url);
    const gateways = Array.from({ length: GATEWAYS }, (_, n) => new Gateway(n, processes));
    const { blocks, close } = await openPostgres([postgres.url], { durability: 'replicated' });
    for (const gateway of gateways) {
      await gateway.send();
      await gateway.send();
      const stories = await Promise.all(['one', 'two'].map(async (story) => {
        const copy = gateway.writer.copy();
        await copy.seal(story);
        return copy;
      }));
      const answers = await Promise.all(stories.map((story, n) => offerFrom(processes.address(n), story, 2)));
      expect(answers.map(({ status, json }) => `${status} ${String(json['error'])}`).sort()).toEqual(['201 undefined', '422 fork']);
      const { hash } = (stories[answers.findIndex(({ status }) => status === 201)] as ChainWriter).at(2);
      const kept = await blocks.receipts(gateway.writer.id, 2);
      expect(kept).toHaveLength(1);
      for (const receipt of kept) verifyReceipt(receipt, { key: processes.key, ...gateway.writer.id, height: 2, hash });
      expect(await blocks.fork(gateway.writer.id)).toMatchObject({ height: 2 });
    }
    await close();
  });
});
