/** The words by which commands name a device and whom it measures. */

import { UsageError } from '../errors.ts';
import { isDeviceId, isSubjectId, type DeviceId, type Subject } from '../reading.ts';
import { textOf, type Arguments } from './command.ts';

export function deviceIn(text: string | undefined): DeviceId {
  if (text === undefined) throw new UsageError('which device? Give its id');
  if (!isDeviceId(text)) throw new UsageError(`"${text}" is no device id: 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot`);
  return text;
}

/** From --patient or --room. */
export function subjectOf(args: Arguments): Subject {
  const subject = subjectIfAny(args);
  if (subject === undefined) throw new UsageError('whom does it measure? Give exactly one of --patient and --room');
  return subject;
}

export function subjectIfAny(args: Arguments): Subject | undefined {
  const patient = textOf(args, 'patient');
  const room = textOf(args, 'room');
  if (patient === undefined && room === undefined) return undefined;
  if (patient !== undefined && room !== undefined) throw new UsageError('whom does it measure? Give one of --patient and --room, not both');
  const subject: Subject = patient === undefined ? { kind: 'room', id: room ?? '' } : { kind: 'patient', id: patient };
  if (!isSubjectId(subject.id)) throw new UsageError(`"${subject.id}" is no ${subject.kind} id: 1 to 64 characters without "/"`);
  return subject;
}
