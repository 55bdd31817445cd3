/**
 * The key layout, drawn. Numbers are big endian, so key order is number order; names end the key, so that none needs
 * a length. One letter says what a record is. In the engine of the journal:
 *
 *     J  sequence(8)                          journal record, under the sequence of its first frame
 *     Y                                       how far records were dropped, and how far they were folded
 *
 * in both:
 *
 *     Z                                       probe that shows whether the engine takes synced writes, and makes those before it durable
 *
 * and in the engine of everything else:
 *
 *     D                                       derivation: where its state stands: cursor, counters, steady time
 *     O                                       derivation: how far entries are committed
 *     L                                       derivation: the alarms
 *     T                                       derivation: what people decided about watching
 *     D  device(n)                            derivation: what was decided about whom a device measures
 *     I  device(n)                            derivation: status of a device
 *     S  connection, address, topic (n)       derivation: who speaks and reaches nobody
 *     W  sequence(8) device(n)                derivation: identities of a device's frames in one window
 *     X  name(n)                              derivation: what is remembered of a patient or room
 *     Y  name(n)                              derivation: its summaries that are not ended
 *     G                                       derivation: the profiles in force
 *     c                                       derivation: what patients have permitted
 *     M  connection/decoder(n)                derivation: what a decoder keeps between frames
 *     Q  sequence(8)                          quarantine: why this frame (or part of it) was not understood
 *     V  last sequence(8)                     evidence: which entry covers the frames up to here
 *     E  lane(1) entry(8)                     entry waiting for its block
 *     P  entry(8)                             payload and salt of an entry, sealed under its subject's key (vault/payload.ts)
 *     H  chain(16) lane(1)                    state of a chain at its head
 *     B  chain(16) lane(1) height(8)          block
 *     N  chain(16) lane(1) level(1) index(8)  complete node of the chain's Merkle tree, from level 4 on
 *     s  chain(16) lane(1) tile(8)            leaves of that tree, sixteen together
 *     R  chain(16) lane(1) height(8) key(16)  receipt of the hospital with that key fingerprint
 *     p  chain(16) lane(1)                    state of a chain at the last block that was pruned
 *     F  chain(16) lane(1) height(8) hash(32) fork evidence: another block signed for a height that was taken
 *     C  key(16) lane(1)                      relay cursor of a hospital
 *     U  device(n)                            credential of a device
 *     K                                       who is being erased
 *     h  key(16)                              how far payloads were given to a hospital
 *     x  key(16) id(8)                        content key that a hospital is to be told is erased
 *     o  key(16) id(8)                        what a hospital was told last of consents under a content key, as a hash
 *     l  link(n)                              what a link has cost
 *     a  host(n)                              addresses a hospital's name had
 *     y                                       up to which block of the record lane payloads of summaries were dropped
 *     w                                       bytes written since the gateway was set up
 *     f  person\0name(n)                      consumer of messages for flows: how far it has come
 *     A  digest(32)                           access token of a person, or session of a browser, under its SHA-256
 *
 * and at a hospital, beside blocks, receipts and forks:
 *
 *     n  chain(16)                            number of the last release of a gateway
 *     k  chain(16) id(8)                      content key, sealed for this hospital
 *     r  chain(16) id(8) entry(8)             payload under a content key
 *     q  arrived(8) chain(16) number(8) part(4)  what a release brought that is not in the index of records yet
 *     t  name(n)                              who does a piece of work that one process does at a time
 *     i S                                     index of records: how far it has come
 *     i N number(8)                           record: where its entry stands and its payload lies
 *     i E chain(16) entry(8)                  number of the record of an entry
 *     i C chain(16) id(8) entry(8)            number of a record under a content key
 *     i T person(16) time(8) number(8)        record of a person or room, by time
 *     i P person(16)                          person or room: pseudonyms, content keys
 *     i A pseudonym(16)                       whose pseudonym it is
 *     i K chain(16) id(8)                     whose content key it is
 *     i B chain(16) id(8) entry(8)            why a payload (or, entry 0, a content key) is not opened
 *     i I pseudonym(16)                       what the hospital itself calls whoever has this pseudonym
 *     i O output(n)                           how far something that leaves the hospital has come
 *     m  destination(n) 00 number(8)          message that an integration engine refuses, by its record
 *     m  destination(n) 01 number(8)          that somebody asks for another try of it
 *     j L                                     number of what was shown to somebody last
 *     j N number(8)                           something that was shown to somebody
 *     j T kind(1) person(16) number(8)        the same by whom or what it is of
 *     j X output(n) 00 record(8) resource(n)  what another system refuses
 *     g C chain(16) id(8)                     what somebody permits, under a content key
 *     g P pseudonym(16)                       under which content key that is, of whoever has this pseudonym
 *     g V chain(16)                           how often what people of a chain permit was changed
 *     g S                                     number of the last note
 *     g N chain(16) number(8)                 note: what people here did with somebody's data
 *     g A person(16) chain(16) number(8)      which notes are about whom
 *     g E number(8)                           who broke the glass here
 */

import { LANES, type Lane } from '../reading.ts';

const text = (name: string): Buffer => Buffer.from(name, 'utf8');

function number(n: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(n));
  return bytes;
}

function shortNumber(n: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

const numbered = (n: number | undefined): Uint8Array => (n === undefined ? new Uint8Array() : number(n));

const bytesOf = (hexadecimal: string): Buffer => Buffer.from(hexadecimal, 'hex');

const laneByte = (lane: Lane): Buffer => Buffer.of(LANES.indexOf(lane));

const key = (letter: string, ...parts: readonly Uint8Array[]): Buffer => Buffer.concat([text(letter), ...parts]);

/** Names a lane where there is no letter in front: chain(16) lane(1). */
export const laneName = (chain: Uint8Array, lane: Lane): Buffer => key('', chain, laneByte(lane));

export const journalKey = (sequence: number): Buffer => key('J', number(sequence));
export const derivationKey = (): Buffer => key('D');
export const bindingsKey = (device: string): Buffer => key('D', text(device));
export const deviceStatusKey = (device: string): Buffer => key('I', text(device));
export const sightingKey = (name: string): Buffer => key('S', text(name));
export const windowKey = (sequence: number, device: string): Buffer => key('W', number(sequence), text(device));
export const watchKey = (name: string): Buffer => key('X', text(name));
export const summariesKey = (name: string): Buffer => key('Y', text(name));
export const committedKey = (): Buffer => key('O');
export const alarmsKey = (): Buffer => key('L');
export const ordersKey = (): Buffer => key('T');
export const consentKey = (): Buffer => key('c');
export const profilesKey = (): Buffer => key('G');
export const memoryKey = (name: string): Buffer => key('M', text(name));
export const quarantineKey = (sequence: number): Buffer => key('Q', number(sequence));
export const evidenceKey = (lastSequence: number): Buffer => key('V', number(lastSequence));
export const pendingKey = (lane: Lane, entry: number): Buffer => key('E', laneByte(lane), number(entry));
export const payloadKey = (entry: number): Buffer => key('P', number(entry));
export const headKey = (chain: Uint8Array, lane: Lane): Buffer => key('H', chain, laneByte(lane));
export const blockKey = (chain: Uint8Array, lane: Lane, height: number): Buffer => key('B', chain, laneByte(lane), number(height));
export const nodeKey = (chain: Uint8Array, lane: Lane, level: number, index: number): Buffer =>
  key('N', chain, laneByte(lane), Buffer.of(level), number(index));
export const tileKey = (chain: Uint8Array, lane: Lane, tile: number): Buffer => key('s', chain, laneByte(lane), number(tile));
export const receiptKey = (chain: Uint8Array, lane: Lane, height: number, fingerprint: Uint8Array): Buffer =>
  key('R', chain, laneByte(lane), number(height), fingerprint);
export const prunedKey = (chain: Uint8Array, lane: Lane): Buffer => key('p', chain, laneByte(lane));
export const forkKey = (chain: Uint8Array, lane: Lane, height: number, hash: Uint8Array): Buffer =>
  key('F', chain, laneByte(lane), number(height), hash);
/** The range of all forks of a lane. */
export const forksOf = (chain: Uint8Array, lane: Lane): { gte: Buffer; lt: Buffer } => startingWith(key('F', chain, laneByte(lane)));
export const cursorKey = (fingerprint: Uint8Array, lane: Lane): Buffer => key('C', fingerprint, laneByte(lane));
export const credentialKey = (device: string): Buffer => key('U', text(device));
export const tokenKey = (digest: Uint8Array): Buffer => key('A', digest);
export const consumerKey = (person: string, name: string): Buffer => key('f', text(`${person}\0${name}`));
export const linkUsageKey = (link: string): Buffer => key('l', text(link));
export const hospitalAddressKey = (host: string): Buffer => key('a', text(host));
export const payloadsDroppedKey = (): Buffer => key('y');
export const bytesWrittenKey = (): Buffer => key('w');
export const erasureKey = (): Buffer => key('K');
export const releaseCursorKey = (fingerprint: Uint8Array): Buffer => key('h', fingerprint);
export const erasedReleaseKey = (fingerprint: Uint8Array, id: Uint8Array = new Uint8Array()): Buffer => key('x', fingerprint, id);
export const toldMarkKey = (fingerprint: Uint8Array, id: Uint8Array = new Uint8Array()): Buffer => key('o', fingerprint, id);
export const releasedNumberKey = (chain: Uint8Array): Buffer => key('n', chain);
export const releasedKeyKey = (chain: Uint8Array, id: Uint8Array = new Uint8Array()): Buffer => key('k', chain, id);
export const releasedPayloadKey = (chain: Uint8Array, id: Uint8Array, entry?: number): Buffer => key('r', chain, id, entry === undefined ? new Uint8Array() : number(entry));
export const arrivalKey = (arrived: number, chain: Uint8Array, release: number, part: number): Buffer => key('q', number(arrived), chain, number(release), shortNumber(part));
export const leaseKey = (name: string): Buffer => key('t', text(name));
export const projectionKey = (): Buffer => key('iS');
export const recordKey = (record: number): Buffer => key('iN', number(record));
export const recordOfEntryKey = (chain: Uint8Array, entry: number): Buffer => key('iE', chain, number(entry));
export const recordUnderKey = (chain: Uint8Array, id: Uint8Array, entry?: number): Buffer => key('iC', chain, id, entry === undefined ? new Uint8Array() : number(entry));
/** Without the record: where those of that time begin. */
export const recordOfPersonKey = (person: string, time: number, record?: number): Buffer => key('iT', bytesOf(person), number(time), record === undefined ? new Uint8Array() : number(record));
export const personKey = (person: string): Buffer => key('iP', bytesOf(person));
export const pseudonymKey = (pseudonym: string): Buffer => key('iA', bytesOf(pseudonym));
export const personOfKeyKey = (chain: Uint8Array, id: Uint8Array): Buffer => key('iK', chain, id);
export const badPayloadKey = (chain: Uint8Array, id: Uint8Array, entry?: number): Buffer => key('iB', chain, id, entry === undefined ? new Uint8Array() : number(entry));
export const identityKey = (pseudonym: string): Buffer => key('iI', bytesOf(pseudonym));
export const outputKey = (output: string): Buffer => key('iO', text(output));
export const refusedMessageKey = (destination: string, record?: number): Buffer => key('m', text(destination), Buffer.of(0), numbered(record));
export const retriedMessageKey = (destination: string, record?: number): Buffer => key('m', text(destination), Buffer.of(1), numbered(record));
export const lastAuditKey = (): Buffer => key('jL');
export const auditKey = (n?: number): Buffer => key('jN', n === undefined ? new Uint8Array() : number(n));
export const auditedSubjectKey = (kind: 'patient' | 'room', person: string, n?: number): Buffer => key('jT', Buffer.of(kind === 'patient' ? 0 : 1), bytesOf(person), n === undefined ? new Uint8Array() : number(n));
export const setAsideKey = (output: string, place?: Readonly<{ record: number; resource: string }>): Buffer =>
  key('jX', text(output), Buffer.of(0), ...(place === undefined ? [] : [number(place.record), text(place.resource)]));
export const toldKey = (chain: Uint8Array, id: Uint8Array): Buffer => key('gC', chain, id);
export const toldNameKey = (name: Uint8Array): Buffer => key('gP', name);
export const toldVersionKey = (chain: Uint8Array): Buffer => key('gV', chain);
export const lastNoteKey = (): Buffer => key('gS');
export const noteKey = (chain: Uint8Array, n?: number): Buffer => key('gN', chain, numbered(n));
export const noteAboutKey = (person: Uint8Array, chain: Uint8Array = new Uint8Array(), n?: number): Buffer => key('gA', person, chain, numbered(n));
export const episodeKey = (n?: number): Buffer => key('gE', numbered(n));
export const tidiedKey = (): Buffer => key('Y');
export const probeKey = (): Buffer => key('Z');

/** The range of all keys that begin with `prefix`. */
export function startingWith(prefix: Buffer): { gte: Buffer; lt: Buffer } {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    if (byte < 0xff) {
      end[i] = byte + 1;
      return { gte: prefix, lt: end.subarray(0, i + 1) };
    }
  }
  return { gte: prefix, lt: Buffer.alloc(64, 0xff) };
}

/** Records that hold or name what is of people: sealed-store.ts keeps them encrypted. */
export const SEALED_LETTERS: ReadonlySet<string> = new Set(['D', 'K', 'L', 'T', 'I', 'S', 'W', 'X', 'Y', 'G', 'M', 'Q', 'U', 'A', 'c', 'f']);
/** Those of them whose keys end with a name. */
export const NAMED_LETTERS: ReadonlySet<string> = new Set(['D', 'I', 'S', 'W', 'X', 'Y', 'M', 'U', 'f']);

/** The prefix of every key that begins with this letter. */
export const allOf = (letter: string): { gte: Buffer; lt: Buffer } => startingWith(text(letter));

/** The 8-byte number at `offset` of a key. */
export const numberAt = (bytes: Uint8Array, offset: number): number =>
  Number(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readBigUInt64BE(offset));

/** The name that ends a key, from `offset`. */
export const nameAt = (bytes: Uint8Array, offset: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', offset);
