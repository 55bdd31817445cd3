/**
 * How much of something recorded is left for somebody, by what they may see of its parts: once for payloads on their way to a hospital, and again
 * for records on their way out of it. What is recorded is described by whoever has it, in their own form; the answer says what stays of it.
 */

import { FIDELITIES, type Fidelity } from './vocabulary.ts';

/** What something recorded holds, as far as consent asks. */
export type Content =
  /** A step of an alarm. `values`: measurements in its evidence. `saysWhy`: its message is what somebody wrote about the patient. */
  | Readonly<{ what: 'alarm'; technical: boolean; isAnswer: boolean; saysWhy: boolean; values: readonly string[] }>
  | Readonly<{ what: 'waveform'; measurement: string }>
  | Readonly<{ what: 'summary'; measurements: readonly string[] }>;

/** Whether an item may be seen at that fidelity. */
export type Permits = (item: string, fidelity: Fidelity) => boolean;

/** `fields`: of the payload only these. `measurements`: of a summary only these. */
export type Left = 'whole' | 'nothing' | Readonly<{ fields: readonly string[] }> | Readonly<{ measurements: readonly string[] }>;

/** Of an alarm that may be told of, though not what was measured: that, when and how urgent. */
const BARE_ALARM: readonly string[] = ['alarm', 'why', 'from', 'to', 'kind', 'priority'];

/** Rules that tell of a broken glass: why somebody did that is what they wrote about the patient. */
export const GLASS_RULES = 'glass-';

export function leftOf(content: Content, permits: Permits): Left {
  switch (content.what) {
    case 'alarm': return alarm(content, permits);
    case 'waveform': return permits(content.measurement, 'full') ? 'whole' : 'nothing';
    case 'summary': return summary(content.measurements, permits);
  }
}

function alarm({ technical, isAnswer, saysWhy, values }: Extract<Content, { what: 'alarm' }>, permits: Permits): Left {
  const shows = values.every((measurement) => permits(measurement, 'events'));
  if (isAnswer) return permits('alarm_answer', 'events') && shows ? 'whole' : 'nothing';
  if (!permits(technical ? 'technical_alarm' : 'physiological_alarm', 'events')) return 'nothing';
  return shows && (!saysWhy || permits('reason', 'events')) ? 'whole' : { fields: BARE_ALARM };
}

function summary(measurements: readonly string[], permits: Permits): Left {
  const shown = measurements.filter((name) => permits(name, 'summary'));
  if (shown.length === 0) return 'nothing';
  return shown.length === measurements.length ? 'whole' : { measurements: shown };
}

/** Whether a fidelity shows what needs another. */
export const isEnough = (granted: Fidelity | undefined, needed: Fidelity): boolean => granted !== undefined && FIDELITIES.indexOf(granted) <= FIDELITIES.indexOf(needed);
