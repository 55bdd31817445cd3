import type { OperatorAction } from '../decode/operator.ts';

/** A condition of the gateway itself, which the gateway notices and derivation is told of. The names are in the chain. */
export type OwnCondition = Extract<OperatorAction, { type: 'condition' }>['condition'];

/** What people are told; the policy may lower how urgently (technicalHighest). Where nothing is recorded any more, nobody is watched over. */
export const TOLD_OF: Readonly<Record<OwnCondition, Readonly<{ priority: 'high' | 'medium'; message: string }>>> = {
  unreached: { priority: 'medium', message: 'no hospital can be reached: alarms are told in the house only, and wait here with everything else. Look at the links of the gateway' },
  flows_stopped: { priority: 'medium', message: 'the flows (Node-RED) do not run: what they do beside the alarms of the gateway is not done. They are started again by themselves; "vitalgate flows status" says more' },
  flows_safe_mode: { priority: 'medium', message: 'the flows (Node-RED) stalled again and again and are stopped: what they do beside the alarms of the gateway is not done until somebody mends and deploys them, or restores older ones' },
  no_room: { priority: 'high', message: 'the disk of the gateway is full: readings are refused, and nobody is watched over until there is room' },
};
