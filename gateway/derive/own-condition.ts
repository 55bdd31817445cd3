import type { OperatorAction } from '../decode/operator.ts';

/** A condition of the gateway itself, which the gateway notices and derivation is told of. The names are in the chain. */
export type OwnCondition = Extract<OperatorAction, { type: 'condition' }>['condition'];

/** What people are told; the policy may lower how urgently (technicalHighest). Where nothing is recorded any more, nobody is watched over. */
export const TOLD_OF: Readonly<Record<OwnCondition, Readonly<{ priority: 'high' | 'medium'; message: string }>>> = {
  unreached: { priority: 'medium', message: 'no hospital can be reached: alarms are told in the house only, and wait here with everything else. Look at the links of the gateway' },
  no_room: { priority: 'high', message: 'the disk of the gateway is full: readings are refused, and nobody is watched over until there is room' },
};
