import type { Episode } from '../consent/break-glass.ts';
import { toHex } from '../ledger/bytes.ts';
import type { EpisodeStore } from '../records/episode-store.ts';
import type { Note, NoteLog, Numbered } from '../records/note.ts';
import { Turns } from '../turns.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { episodeKey, lastNoteKey, noteAboutKey, noteKey, numberAt, startingWith } from './keys.ts';

const CHAIN_LENGTH = 16;
/** Where these end in a key, behind two letters. */
const [CHAIN_END, PERSON_END] = [18, 18];

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
const fromJson = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

/**
 * Notes of what people at a hospital do, and the broken glass there, over any engine. JSON. Several processes number them together, whichever chain they are of: so that
 * what is shown at once is written at once.
 */
export class StoredNotes implements NoteLog, EpisodeStore {
  readonly #store: KeyValueStore;
  /** Of this process: who waits for another here does not race with it. */
  readonly #turns = new Turns();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async append(notes: readonly Note[]): Promise<void> {
    await this.#turns.take('', async () => {
      while (!(await this.#write(await this.#last(), notes, []))) continue;
    });
  }

  async put(moment: number, episode: Episode, note: Note, gone: readonly number[]): Promise<boolean> {
    const changes = [...gone.map((number) => ({ key: episodeKey(number) })), { key: episodeKey(episode.number), value: toJson(episode) }];
    return await this.#turns.take('', () => this.#write(moment, [note], changes));
  }

  async #last(): Promise<number> {
    const last = await this.#store.get(lastNoteKey());
    return last === undefined ? 0 : numberAt(last, 0);
  }

  /** Whether nobody else has numbered any since. */
  async #write(last: number, notes: readonly Note[], more: readonly Change[]): Promise<boolean> {
    // Behind the clock, too: a hospital that lost its store goes on above what gateways have heard of it.
    const before = Math.max(last, ...notes.map(({ time }) => time));
    const changes = notes.flatMap((note, index): Change[] => {
      const number = before + index + 1;
      const chain = fromHex(note.chain);
      return [{ key: noteKey(chain, number), value: toJson({ ...note, number }) }, { key: noteAboutKey(fromHex(note.subject.person), chain, number), value: new Uint8Array() }];
    });
    return await this.#store.swap({ key: lastNoteKey(), from: last === 0 ? undefined : numberBytes(last), to: numberBytes(before + notes.length) }, [...more, ...changes]);
  }

  async newest(chain: string): Promise<number> {
    for await (const [key] of this.#store.range({ ...startingWith(noteKey(fromHex(chain))), reverse: true, limit: 1 })) return numberAt(key, CHAIN_END);
    return 0;
  }

  async after(chain: string, number: number, limit: number): Promise<readonly Numbered<Note>[]> {
    const id = fromHex(chain);
    const rows = await Array.fromAsync(this.#store.range({ gte: noteKey(id, number + 1), lt: startingWith(noteKey(id)).lt, limit }));
    return rows.map(([, value]) => fromJson(value) as Numbered<Note>);
  }

  async *of(person: string): AsyncIterable<Numbered<Note>> {
    for await (const [key] of this.#store.range(startingWith(noteAboutKey(fromHex(person))))) {
      const chain = Uint8Array.from(key.subarray(PERSON_END, PERSON_END + CHAIN_LENGTH));
      const [note] = await this.after(toHex(chain), numberAt(key, PERSON_END + CHAIN_LENGTH) - 1, 1);
      if (note !== undefined) yield note;
    }
  }

  /** The moment first: a step in between is seen, or refuses what is put then. */
  async episodes(): Promise<Readonly<{ episodes: readonly Episode[]; moment: number }>> {
    const moment = await this.#last();
    const rows = await Array.fromAsync(this.#store.range(startingWith(episodeKey())));
    return { episodes: rows.map(([, value]) => fromJson(value) as Episode), moment };
  }

  async forget(patients: readonly string[]): Promise<void> {
    const gone = (await this.episodes()).episodes.filter(({ patient }) => patients.includes(patient)).map(({ number }): Change => ({ key: episodeKey(number) }));
    const notes = (await Promise.all(patients.map((patient) => Array.fromAsync(this.of(patient))))).flat().filter((note) => note.reason !== undefined && note.reason !== '');
    const bare = notes.map((note): Change => ({ key: noteKey(fromHex(note.chain), note.number), value: toJson({ ...note, reason: '' }) }));
    if (gone.length + bare.length === 0) return;
    await this.#store.write([...gone, ...bare], { sync: true });
    await this.#store.compact(startingWith(episodeKey()));
    for (const chain of new Set(notes.map((note) => note.chain))) await this.#store.compact(startingWith(noteKey(fromHex(chain))));
  }
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}
