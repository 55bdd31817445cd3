import { StoreError } from '../errors.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import type { AppendOutcome, BlockStore, Fork, LaneId, StorableBlock } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { type ChainState, decodeState } from '../ledger/state.ts';
import { MiB } from '../quantity.ts';
import { LANES, type Lane } from '../reading.ts';
import { Turns } from '../turns.ts';
import { Batches } from './batches.ts';
import { decodeFork, encodeFork } from './block-store.ts';
import { seal, unseal } from './checksum.ts';
import { blockKey, forkKey, headKey, laneName, receiptKey } from './keys.ts';
import { appendRuns, bytesOf, nodeIn, type Run } from './postgres-append.ts';
import { bigintArray, byteaArray } from './postgres-arrays.ts';
import type { PostgresPrimary } from './postgres-primary.ts';

const CHAIN_LENGTH = 16;
/** Lanes in one statement, at most; and blocks, by their bytes. */
const MOST_LANES = 256;
const MOST_BYTES = MiB(8);
/** Statements under way at the same time. */
const LINES = 4;
const MOST_HEADS = 1000;
/** Blocks that are in memory while a lane is read. */
const PAGE = 32;

type Receipt = Readonly<{ id: LaneId; height: number; fingerprint: Uint8Array; receipt: Uint8Array }>;

const HEADS = { name: 'vitalgate heads', text: 'select lane, state from vitalgate.head where lane = any($1::bytea[])' };
const FORKS_OF = {
  name: 'vitalgate forks of',
  text: `select distinct on (fork.lane) fork.lane, fork.height, fork.hash, fork.body from unnest($1::bytea[]) as asked(lane)
    join vitalgate.fork on fork.lane = asked.lane order by fork.lane, fork.height, fork.hash`,
};
const BLOCK = { name: 'vitalgate block', text: 'select body from vitalgate.block where lane = $1 and height = $2' };
const PAGE_OF_BLOCKS = { name: 'vitalgate blocks', text: `select height, body from vitalgate.block where lane = $1 and height >= $2 order by height limit ${PAGE}` };

const PAGE_OF_RECEIPTS = {
  name: 'vitalgate page of receipts',
  text: `select height, fingerprint, body from vitalgate.receipt where lane = $1 and (height, fingerprint) > ($2, $3) order by height, fingerprint limit ${PAGE * 8}`,
};

/** The block that completed the leaves up to a number is the first with as many; it is found by halving, as there is no index for that alone. */
const NODES = {
  name: 'vitalgate nodes',
  text: `
    with recursive search(low, high) as (
      select 0::bigint, height from vitalgate.head where lane = $1
      union all
      select case when block.tree_size < $2 then middle.height + 1 else low end, case when block.tree_size < $2 then high else middle.height end
      from search, lateral (select (low + high) / 2 as height) as middle, lateral (select tree_size from vitalgate.block where lane = $1 and block.height = middle.height) as block
      where low < high
    )
    select height, nodes from vitalgate.block where lane = $1 and height = (select low from search where low = high limit 1)`,
};

const PUT_RECEIPTS = {
  name: 'vitalgate receipts',
  text: `
    insert into vitalgate.receipt (lane, height, fingerprint, body)
    select * from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[]) as given(lane, height, fingerprint, body) order by lane, height, fingerprint
    on conflict (lane, height, fingerprint) do update set body = excluded.body`,
};

type ForkRow = Readonly<{ lane: Buffer; height: string; hash: Buffer; body: Buffer }>;

/**
 * Blocks in one PostgreSQL database, which any number of processes may share. Appends of different lanes that come together are one statement, one
 * commit, one wait for the standbys.
 */
export class PostgresBlocks implements BlockStore {
  readonly #primary: PostgresPrimary;
  /** A lane is in one statement at a time. */
  readonly #turns = new Turns();
  readonly #appends: Batches<Run, boolean>;
  readonly #heads: Batches<LaneId, ChainState | undefined>;
  readonly #forks: Batches<LaneId, Fork | undefined>;
  readonly #receipts: Batches<Receipt, undefined>;

  /** The tables MUST be there (postgres-schema.ts). It stays open when this is done with. */
  constructor(primary: PostgresPrimary) {
    this.#primary = primary;
    this.#appends = new Batches({ lines: LINES, most: MOST_LANES, weight: bytesOf, heaviest: MOST_BYTES, work: (runs) => primary.write((client) => appendRuns(client, runs)) });
    this.#heads = new Batches({ lines: LINES, most: MOST_HEADS, work: (ids) => this.#headsOf(ids) });
    this.#forks = new Batches({ lines: LINES, most: MOST_HEADS, work: (ids) => this.#forksOf(ids) });
    this.#receipts = new Batches({ lines: LINES, most: MOST_LANES, work: (receipts) => this.#putReceipts(receipts) });
  }

  head(id: LaneId): Promise<ChainState | undefined> {
    return this.#heads.add(id);
  }

  append(first: StorableBlock, ...following: readonly StorableBlock[]): Promise<AppendOutcome> {
    const { chain, lane } = first.verified.state;
    return this.#turns.take(`${toHex(chain)}/${lane}`, () => this.#append([first, ...following]));
  }

  async #append(run: Run): Promise<AppendOutcome> {
    for (;;) {
      if (await this.#appends.add(run)) return { outcome: 'committed' };
      const outcome = await this.#whyNot(run[0]);
      // Something was appended between question and answer by another process; now it may fit.
      if (outcome !== undefined) return outcome;
    }
  }

  async #whyNot({ verified: { state, header } }: StorableBlock): Promise<AppendOutcome | undefined> {
    const head = await this.head(state);
    const next = head === undefined ? 0 : head.height + 1;
    if (state.height > next) return { outcome: 'gap', head };
    if (state.height === next) return head === undefined || equalBytes(header.prev, head.hash) ? undefined : { outcome: 'fork', head };
    const recorded = await this.block(state, state.height);
    if (recorded === undefined || !equalBytes(openBlock(recorded).hash, state.hash)) return { outcome: 'fork', head };
    // It may have been committed behind a connection that died before the standbys had it.
    await this.#primary.confirm();
    return { outcome: 'same' };
  }

  async block({ chain, lane }: LaneId, height: number): Promise<Uint8Array | undefined> {
    const { rows: [row] } = await this.#primary.read((client) => client.query<{ body: Buffer }>({ ...BLOCK, values: [laneName(chain, lane), height] }));
    return row && unseal(blockKey(chain, lane, height), row.body);
  }

  /** Nothing is ever pruned at a hospital. */
  pruned(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async *blocks({ chain, lane }: LaneId, from: number): AsyncIterable<Uint8Array> {
    const name = laneName(chain, lane);
    for (let next = from; ;) {
      const first = next;
      const { rows } = await this.#primary.read((client) => client.query<{ height: string; body: Buffer }>({ ...PAGE_OF_BLOCKS, values: [name, first] }));
      for (const { height, body } of rows) {
        yield unseal(blockKey(chain, lane, Number(height)), body);
        next = Number(height) + 1;
      }
      if (rows.length < PAGE) return;
    }
  }

  async node({ chain, lane }: LaneId, level: number, index: number): Promise<Uint8Array> {
    const leaves = (index + 1) * 2 ** level;
    const { rows: [row] } = await this.#primary.read((client) => client.query<{ height: string; nodes: Buffer }>({ ...NODES, values: [laneName(chain, lane), leaves] }));
    const hash = row && nodeIn(unseal(blockKey(chain, lane, Number(row.height)), row.nodes), level, index);
    if (hash === undefined) throw new StoreError('VG_STORE_CORRUPT', `tree node ${level}/${index} of lane ${lane} is missing`);
    return hash;
  }

  async chains(): Promise<readonly Uint8Array[]> {
    const { rows } = await this.#primary.read((client) => client.query<{ chain: Buffer }>(`select distinct substring(lane for ${CHAIN_LENGTH}) as chain from vitalgate.head`));
    return rows.map(({ chain }) => chain);
  }

  /** Durable when it resolves, and so is everything that was to be seen before it: what a receipt says is never taken back by a standby. */
  async putReceipt(id: LaneId, height: number, fingerprint: Uint8Array, receipt: Uint8Array): Promise<void> {
    await this.#receipts.add({ id, height, fingerprint, receipt });
  }

  async receipts({ chain, lane }: LaneId, height: number): Promise<readonly Uint8Array[]> {
    const text = 'select fingerprint, body from vitalgate.receipt where lane = $1 and height = $2 order by fingerprint';
    const { rows } = await this.#primary.read((client) => client.query<{ fingerprint: Buffer; body: Buffer }>({ name: 'vitalgate receipts of', text, values: [laneName(chain, lane), height] }));
    return rows.map(({ fingerprint, body }) => unseal(receiptKey(chain, lane, height, fingerprint), body));
  }

  async *receiptsFrom({ chain, lane }: LaneId, from: number): AsyncIterable<Uint8Array> {
    type Row = Readonly<{ height: string; fingerprint: Buffer; body: Buffer }>;
    const name = laneName(chain, lane);
    // Behind every receipt of the height before.
    for (let last: Pick<Row, 'height' | 'fingerprint'> = { height: String(from - 1), fingerprint: Buffer.alloc(17, 0xff) }; ;) {
      const { height, fingerprint } = last;
      const { rows } = await this.#primary.read((client) => client.query<Row>({ ...PAGE_OF_RECEIPTS, values: [name, height, fingerprint] }));
      for (const row of rows) yield unseal(receiptKey(chain, lane, Number(row.height), row.fingerprint), row.body);
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE * 8) return;
      last = end;
    }
  }

  async putFork(fork: Fork): Promise<void> {
    const { chain, lane, height, offered } = fork;
    const { hash } = openBlock(offered);
    const text = 'insert into vitalgate.fork (lane, height, hash, body) values ($1, $2, $3, $4) on conflict do nothing';
    const values = [laneName(chain, lane), height, Buffer.from(hash), seal(forkKey(chain, lane, height, hash), encodeFork(fork))];
    await this.#primary.write((client) => client.query({ text, values }));
    // It may have been there, from a connection that died before the standbys had it.
    await this.#primary.confirm();
  }

  async forks(): Promise<readonly Fork[]> {
    const { rows } = await this.#primary.read((client) => client.query<ForkRow>('select lane, height, hash, body from vitalgate.fork order by lane, height, hash'));
    return rows.map(forkOf);
  }

  fork(id: LaneId): Promise<Fork | undefined> {
    return this.#forks.add(id);
  }

  async #headsOf(ids: readonly LaneId[]): Promise<readonly (ChainState | undefined)[]> {
    const { rows } = await this.#primary.read((client) => client.query<{ lane: Buffer; state: Buffer }>({ ...HEADS, values: [lanesOf(ids)] }));
    const states = new Map(rows.map(({ lane, state }) => [lane.toString('hex'), state]));
    return ids.map(({ chain, lane }) => {
      const state = states.get(laneName(chain, lane).toString('hex'));
      return state && decodeState(unseal(headKey(chain, lane), state));
    });
  }

  async #forksOf(ids: readonly LaneId[]): Promise<readonly (Fork | undefined)[]> {
    const { rows } = await this.#primary.read((client) => client.query<ForkRow>({ ...FORKS_OF, values: [lanesOf(ids)] }));
    const forks = new Map(rows.map((row) => [row.lane.toString('hex'), row]));
    return ids.map(({ chain, lane }) => {
      const row = forks.get(laneName(chain, lane).toString('hex'));
      return row && forkOf(row);
    });
  }

  async #putReceipts(receipts: readonly Receipt[]): Promise<readonly undefined[]> {
    // One statement may write a row once: the last that was put counts.
    const last = [...new Map(receipts.map((each) => [receiptKey(each.id.chain, each.id.lane, each.height, each.fingerprint).toString('hex'), each])).values()];
    const values = [
      lanesOf(last.map(({ id }) => id)),
      bigintArray(last.map(({ height }) => height)),
      byteaArray(last.map(({ fingerprint }) => fingerprint)),
      byteaArray(last.map(({ id: { chain, lane }, height, fingerprint, receipt }) => seal(receiptKey(chain, lane, height, fingerprint), receipt))),
    ];
    await this.#primary.write((client) => client.query({ ...PUT_RECEIPTS, values }));
    return receipts.map(() => undefined);
  }
}

const lanesOf = (ids: readonly LaneId[]): Buffer => byteaArray(ids.map(({ chain, lane }) => laneName(chain, lane)));

function forkOf({ lane: name, height: text, hash, body }: ForkRow): Fork {
  const [chain, lane, height] = [Uint8Array.from(name.subarray(0, CHAIN_LENGTH)), LANES[name[CHAIN_LENGTH] as number] as Lane, Number(text)];
  return { chain, lane, height, ...decodeFork(unseal(forkKey(chain, lane, height, hash), body)) };
}
