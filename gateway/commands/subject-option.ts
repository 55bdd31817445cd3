import { UsageError } from '../errors.ts';
import { isSubjectId, type Subject } from '../reading.ts';
import { textOf, type Arguments } from './command.ts';

/** Options of commands about one patient or one room. */
export const SUBJECT_OPTIONS = {
  patient: { type: 'string', value: 'ID', help: 'Which patient' },
  room: { type: 'string', value: 'ID', help: 'Which room' },
} as const;

/** Throws {@link UsageError} unless there is one of them. */
export function subjectIn(args: Arguments): Subject {
  const [patient, room] = [textOf(args, 'patient'), textOf(args, 'room')];
  const id = patient ?? room;
  if (id === undefined || (patient !== undefined && room !== undefined)) throw new UsageError('about whom? Give --patient or --room');
  if (!isSubjectId(id)) throw new UsageError(`"${id}" is no id of a patient or a room`);
  return { kind: patient === undefined ? 'room' : 'patient', id };
}
