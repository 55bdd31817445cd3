import { ROOM_KINDS } from '../context/watch.ts';
import { DecodeError } from '../errors.ts';
import { isSubjectId } from '../reading.ts';
import type { PatientRecord } from './orders.ts';

type Fields = Readonly<Record<string, unknown>>;

const MOST_PATIENTS = 20_000;
const MOST_ROOMS = 64;

/** The patients of an `operator` frame, checked as everything in a journal is. Throws {@link DecodeError} `wrong_shape`. */
export function readPatients(values: readonly unknown[]): readonly PatientRecord[] {
  if (values.length > MOST_PATIENTS) throw wrong(`more than ${MOST_PATIENTS}`);
  const patients = values.map((value) => readPatient(fieldsOf(value)));
  if (new Set(patients.map(({ id }) => id)).size < patients.length) throw wrong('one stands there twice');
  return patients;
}

function readPatient({ id, rooms, alone, packs }: Fields): PatientRecord {
  if (!Array.isArray(rooms) || rooms.length > MOST_ROOMS || typeof alone !== 'boolean') throw wrong('one has no rooms, or nobody said whether they are alone');
  if (packs !== undefined && (!Array.isArray(packs) || !packs.every((pack) => typeof pack === 'string'))) throw wrong('packs must be names');
  return { id: idOf(id), rooms: rooms.map((room) => readRoom(fieldsOf(room))), alone, ...(packs === undefined ? {} : { packs }) };
}

function readRoom({ room, kind }: Fields): PatientRecord['rooms'][number] {
  const known = ROOM_KINDS.find((each) => each === kind);
  if (known === undefined) throw wrong(`a room is one of ${ROOM_KINDS.join(', ')}`);
  return { room: idOf(room), kind: known };
}

function idOf(id: unknown): string {
  const name = typeof id === 'string' ? id.normalize('NFC') : '';
  if (!isSubjectId(name)) throw wrong('an id is 1 to 64 characters without "/"');
  return name;
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const wrong = (what: string): DecodeError => new DecodeError('wrong_shape', `the patients cannot be taken over: ${what}`);
