import type { Episode } from '../consent/break-glass.ts';
import { toHex } from '../ledger/bytes.ts';
import type { EpisodeStore } from '../records/episode-store.ts';
import type { Note, NoteLog, Numbered } from '../records/note.ts';
import { Turns } from '../turns.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { allOf, episodeKey, noteAboutKey, noteKey, numberAt, startingWith } from './keys.ts';

const PERSON_LENGTH = 16;
const CHAIN_LENGTH = 16;

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
const fromJson = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Notes of what people at a hospital do, and the broken glass there, over any engine. JSON. */
export class StoredNotes implements NoteLog, EpisodeStore {
  readonly #store: KeyValueStore;
  readonly #turns = new Turns();
  /** By chain: the number of its last note. */
  readonly #last = new Map<string, number>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async append(notes: readonly Note[]): Promise<void> {
    await this.#write(notes, []);
  }

  async put(episode: Episode, note: Note, gone: readonly number[]): Promise<void> {
    await this.#write([note], [...gone.map((number) => ({ key: episodeKey(number) })), { key: episodeKey(episode.number), value: toJson(episode) }]);
  }

  /** One after the other: a number that failed is given to the next. */
  async #write(notes: readonly Note[], more: readonly Change[]): Promise<void> {
    await this.#turns.take('', async () => {
      const last = new Map<string, number>();
      const changes: Change[] = [...more];
      for (const note of notes) {
        const number = (last.get(note.chain) ?? await this.newest(note.chain)) + 1;
        last.set(note.chain, number);
        const chain = fromHex(note.chain);
        changes.push({ key: noteKey(chain, number), value: toJson({ ...note, number }) }, { key: noteAboutKey(fromHex(note.subject.person), chain, number), value: new Uint8Array() });
      }
      await this.#store.write(changes, { sync: true });
      for (const [chain, number] of last) this.#last.set(chain, number);
    });
  }

  async newest(chain: string): Promise<number> {
    const known = this.#last.get(chain);
    if (known !== undefined) return known;
    for await (const [key] of this.#store.range({ ...startingWith(noteKey(fromHex(chain))), reverse: true, limit: 1 })) return numberAt(key, 1 + CHAIN_LENGTH);
    return 0;
  }

  async after(chain: string, number: number, limit: number): Promise<readonly Numbered<Note>[]> {
    const id = fromHex(chain);
    const rows = await Array.fromAsync(this.#store.range({ gte: noteKey(id, number + 1), lt: startingWith(noteKey(id)).lt, limit }));
    return rows.map(([, value]) => fromJson(value) as Numbered<Note>);
  }

  async *of(person: string): AsyncIterable<Numbered<Note>> {
    for await (const [key] of this.#store.range(startingWith(noteAboutKey(fromHex(person))))) {
      const chain = Uint8Array.from(key.subarray(1 + PERSON_LENGTH, 1 + PERSON_LENGTH + CHAIN_LENGTH));
      const [note] = await this.after(toHex(chain), numberAt(key, 1 + PERSON_LENGTH + CHAIN_LENGTH) - 1, 1);
      if (note !== undefined) yield note;
    }
  }

  async episodes(): Promise<readonly Episode[]> {
    const rows = await Array.fromAsync(this.#store.range(allOf('g')));
    return rows.map(([, value]) => fromJson(value) as Episode);
  }

  async forget(patients: readonly string[]): Promise<void> {
    const gone = (await this.episodes()).filter(({ patient }) => patients.includes(patient)).map(({ number }): Change => ({ key: episodeKey(number) }));
    const notes = (await Promise.all(patients.map((patient) => Array.fromAsync(this.of(patient))))).flat().filter((note) => note.reason !== undefined && note.reason !== '');
    const bare = notes.map((note): Change => ({ key: noteKey(fromHex(note.chain), note.number), value: toJson({ ...note, reason: '' }) }));
    if (gone.length + bare.length === 0) return;
    await this.#store.write([...gone, ...bare], { sync: true });
    await this.#store.compact(allOf('g'));
    for (const chain of new Set(notes.map((note) => note.chain))) await this.#store.compact(startingWith(noteKey(fromHex(chain))));
  }
}
