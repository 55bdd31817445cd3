import { clockPlausible, implausible } from '../context/plausibility.ts';
import { decodeNativeJson, type Message } from '../decode/native-json.ts';
import { DecodeError } from '../errors.ts';
import type { Frame, Reading, Subject } from '../reading.ts';

/** What a device's frame says, as far as it can be understood. */
export type Meaning = Readonly<{
  /** Undefined when nothing could be decoded. */
  message: Message | undefined;
  /** The plausible readings of a device that is bound to somebody. */
  readings: readonly Reading[];
  /** Why the rest is in quarantine. */
  rejected: readonly DecodeError[];
  /** The device's clock cannot be right. The readings stand: their place in the journal says when they came. */
  clockInDoubt: boolean;
}>;

const nothing = (error: DecodeError, message?: Message): Meaning => ({ message, readings: [], rejected: [error], clockInDoubt: false });

/** Decodes a device's frame, looks up whom it is about, and sorts out what cannot be true. */
export function understand(frame: Frame, subject: Subject | undefined): Meaning {
  if (frame.topic !== `devices/${frame.device}/readings`) {
    return nothing(new DecodeError('unknown_topic', `no decoder for topic "${frame.topic}"; readings go to devices/<id>/readings`));
  }
  let message: Message;
  try {
    message = decodeNativeJson(frame.payload);
  } catch (error) {
    if (error instanceof DecodeError) return nothing(error);
    throw error;
  }
  if (subject === undefined) return nothing(new DecodeError('unbound_device', `${frame.device} is bound to no patient and no room`), message);
  return judge(frame, message);
}

function judge(frame: Frame, message: Message): Meaning {
  const readings: Reading[] = [];
  const rejected = [...message.rejected];
  let clockInDoubt = false;
  for (const reading of message.readings) {
    const objection = implausible(reading);
    if (objection === undefined) readings.push(reading);
    else rejected.push(objection);
    if (reading.deviceTime !== undefined && !clockPlausible(reading.deviceTime, frame.receivedAt, frame.clockTrust)) clockInDoubt = true;
  }
  return { message, readings, rejected, clockInDoubt };
}
