/** Blocks into PostgreSQL: the runs of many lanes in one statement, each guarded by its own head. */

import type { ClientBase } from 'pg';
import type { StorableBlock } from '../ledger/block-store.ts';
import { encodeState } from '../ledger/state.ts';
import { seal } from './checksum.ts';
import { blockKey, headKey, laneName } from './keys.ts';
import { bigintArray, byteaArray } from './postgres-arrays.ts';
import { packNodes, type Run } from './runs.ts';

/**
 * Heads are locked in the order of their names, so that two of these never wait for each other. The second comparison of height and hash, by the
 * update itself, is with what the head has become by then (READ COMMITTED: https://www.postgresql.org/docs/current/transaction-iso.html). Lanes that
 * lose are not in the answer, and nothing of theirs is written.
 */
const APPEND = {
  name: 'vitalgate append',
  text: `
    with run as (
      select * from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bytea[]) as run(lane, first, prev, last, hash, state)
    ), held as (
      select head.lane from vitalgate.head join run using (lane) where run.first > 0 order by head.lane for update of head
    ), moved as (
      update vitalgate.head set height = run.last, hash = run.hash, state = run.state
      from run join held using (lane)
      where head.lane = run.lane and head.height = run.first - 1 and head.hash = run.prev
      returning head.lane
    ), begun as (
      insert into vitalgate.head (lane, height, hash, state) select lane, last, hash, state from run where first = 0 order by lane
      on conflict do nothing returning lane
    ), won as (
      select lane from moved union all select lane from begun
    ), kept as (
      insert into vitalgate.block (lane, height, tree_size, body, nodes)
      select lane, height, tree_size, body, nodes
      from unnest($7::bytea[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[]) as block(lane, height, tree_size, body, nodes) join won using (lane)
    )
    select lane from won`,
};

/** For each run whether it was committed. No two runs may be of the same lane. */
export async function appendRuns(client: ClientBase, runs: readonly Run[]): Promise<readonly boolean[]> {
  const lanes = runs.map(([{ verified: { state } }]) => laneName(state.chain, state.lane));
  const lasts = runs.map((run) => (run.at(-1) as StorableBlock).verified.state);
  const blocks = runs.flat();
  const states = blocks.map(({ verified }) => verified.state);
  const { rows } = await client.query<{ lane: Buffer }>({
    ...APPEND,
    values: [
      byteaArray(lanes),
      bigintArray(runs.map(([{ verified }]) => verified.state.height)),
      byteaArray(runs.map(([{ verified }]) => verified.header.prev)),
      bigintArray(lasts.map(({ height }) => height)),
      byteaArray(lasts.map(({ hash }) => hash)),
      byteaArray(lasts.map((state) => seal(headKey(state.chain, state.lane), encodeState(state)))),
      byteaArray(states.map(({ chain, lane }) => laneName(chain, lane))),
      bigintArray(states.map(({ height }) => height)),
      bigintArray(states.map(({ tree }) => tree.size)),
      byteaArray(blocks.map(({ bytes, verified: { state } }) => seal(blockKey(state.chain, state.lane, state.height), bytes))),
      byteaArray(blocks.map(({ verified: { state, newNodes } }) => seal(blockKey(state.chain, state.lane, state.height), packNodes(newNodes)))),
    ],
  });
  const won = new Set(rows.map(({ lane }) => lane.toString('hex')));
  return lanes.map((lane) => won.has(lane.toString('hex')));
}
