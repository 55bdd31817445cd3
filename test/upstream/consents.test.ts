import { afterEach, describe, expect, it } from 'vitest';
import { signHospitalNote, signNotesAsked, verifyHospitalNote, type HospitalNote } from '../../gateway/consent/hospital-note.ts';
import { StoreError, UnreadableError } from '../../gateway/errors.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { decode } from '../../gateway/ledger/cbor.ts';
import { signRelease, type Release } from '../../gateway/ledger/release.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import type { ConsentDoor } from '../../gateway/upstream/release-routes.ts';
import { ChainWriter, GATEWAY, keyOf } from './gateway-chain.ts';
import { ask, offerFrom, startHospital, type Hospital, type HttpAnswer } from './hospital.ts';

const NORTH = keyOf('north');
const NOON = UnixMillis(1_893_499_200_000);

/** Keeps what it takes, and has notes. */
class Door implements ConsentDoor {
  readonly taken: number[] = [];
  fails: Error | undefined;
  notes: readonly HospitalNote[] = [];

  async take({ number }: Release): Promise<void> {
    if (this.fails !== undefined) throw this.fails;
    this.taken.push(number);
  }

  async knows(): Promise<boolean> {
    return this.taken.length > 0;
  }

  async newestNote(): Promise<number> {
    return this.notes.at(-1)?.number ?? 0;
  }

  async notesAfter(_chain: Uint8Array, after: number): Promise<readonly Uint8Array[]> {
    return this.notes.filter(({ number }) => number > after).map((note) => signHospitalNote(note, NORTH));
  }
}

describe('consents at a hospital node', () => {
  const door = new Door();
  let hospital: Hospital;
  let chain: Uint8Array;
  let releases: StoredReleases;

  async function start(consents: ConsentDoor | undefined): Promise<void> {
    releases = new StoredReleases(openMemoryStore(), () => NOON);
    hospital = await startHospital('north', { released: { store: releases, payloadKey: new Uint8Array(32), ...(consents && { consents }) } });
    const writer = await ChainWriter.of(1);
    chain = writer.id.chain;
    expect((await offerFrom(hospital.address, writer, 0)).status).toBe(201);
  }
  afterEach(async () => {
    [door.fails, door.notes, door.taken.length] = [undefined, [], 0];
    await hospital.close();
  });

  const post = async (path: string, body: Uint8Array): Promise<HttpAnswer> => await ask(hospital.address, `/v1/chains/${toHex(chain)}/${path}`, { method: 'POST', headers: { 'content-type': 'application/cbor' }, body: Buffer.from(body) });
  const key = { id: new Uint8Array(8), encapsulated: new Uint8Array(32), ciphertext: new Uint8Array(9) };
  const release = (number: number, withConsents = true): Uint8Array =>
    signRelease({ chain, recipient: NORTH.publicKey, number, keys: [key], payloads: [], erased: [], ...(withConsents && { consents: [{ key: key.id, sealed: new Uint8Array(40) }] }) }, GATEWAY);
  const question = (after: number, { signer = GATEWAY, of = chain, recipient = NORTH.publicKey } = {}): Uint8Array => signNotesAsked({ chain: of, recipient, after }, signer);
  const note = (number: number): HospitalNote => ({ chain: toHex(chain), number, time: NOON, pseudonym: 'ab'.repeat(16), by: { id: 'lee' }, what: 'shown', how: 'hl7', purpose: 'TREAT', times: 1, consents: [] });

  it('are taken before the release counts, and every answer says so, with the number of the last note', async () => {
    await start(door);
    expect((await ask(hospital.address, '/v1/key')).json).toMatchObject({ consents: true });
    door.notes = [note(4)];
    expect((await post('releases', release(1))).json).toEqual({ number: 1, consents: true, told: true, notes: 4 });
    door.fails = new StoreError('VG_STORE_WRITE', 'the disk says no');
    expect((await post('releases', release(2))).status).toBe(503);
    door.fails = new UnreadableError('not sealed for the key of this hospital');
    expect(await post('releases', release(2))).toMatchObject({ status: 422, json: { error: 'unreadable_consents', message: 'not sealed for the key of this hospital' } });
    expect(await releases.lastNumber(chain)).toBe(1);
    door.fails = undefined;
    expect([(await post('releases', release(2))).status, (await post('releases', release(2))).status, door.taken]).toEqual([200, 409, [1, 2]]);
  });

  it('are nothing to a node that does not ask for them, which takes releases as before', async () => {
    await start(undefined);
    expect((await ask(hospital.address, '/v1/key')).json).not.toHaveProperty('consents');
    expect((await post('releases', release(1, false))).json).toEqual({ number: 1 });
    expect(await post('releases', release(2))).toMatchObject({ status: 400, json: { error: 'malformed' } });
    expect((await post('notes', question(0))).status).toBe(404);
  });

  it('give notes back to the gateway of the chain, each signed, and to nobody else', async () => {
    await start(door);
    door.notes = [note(1), note(3)];
    const answer = await post('notes', question(1));
    expect([answer.status, answer.type]).toEqual([200, 'application/cbor']);
    expect((decode(answer.bytes) as readonly Uint8Array[]).map((each) => verifyHospitalNote(each, NORTH.publicKey))).toEqual([note(3)]);
    expect(decode((await post('notes', question(3))).bytes)).toEqual([]);
    const refused: readonly (readonly [Uint8Array, number, string])[] = [
      [question(0, { signer: keyOf('eve') }), 422, 'bad_signature'], [question(0, { of: new Uint8Array(16) }), 422, 'wrong_chain'], [question(0, { recipient: keyOf('south').publicKey }), 422, 'wrong_recipient'],
      [Uint8Array.of(1), 400, 'malformed'], [release(1), 400, 'malformed'],
    ];
    for (const [body, status, error] of refused) expect([status, error, await post('notes', body)]).toMatchObject([status, error, { status, json: { error } }]);
    chain = new Uint8Array(16).fill(7);
    expect(await post('notes', question(0))).toMatchObject({ status: 404, json: { error: 'unknown_chain' } });
  });
});
