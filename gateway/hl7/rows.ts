/** OBX segments: what was measured, in the tree of devices it was measured with (IHE PCD TF-2, OBX-4: MDS.VMD.channel.metric.facet). */

import type { HospitalRecord } from '../records/record.ts';
import { CONTAINERS, GATEWAY, type MeasurementCode } from './codes.ts';
import { AUTHORITY } from './header.ts';
import type { Components, Field, Segment } from './text.ts';

export type Row = Readonly<{
  /** OBX-2; absent where there is no value. */
  type?: 'NM' | 'ST';
  id: Components;
  /** OBX-4. */
  place: string;
  value?: string;
  units?: Components;
  /** OBX-7. */
  range?: string | undefined;
  /** OBX-8. */
  flags?: Field;
  /** OBX-11: R, as the device said it and verified by nobody; X, there is no value. */
  status: 'R' | 'X';
  /** OBX-14. */
  at?: string;
  /** OBX-16. */
  observer?: string | undefined;
  /** OBX-17. */
  method?: Components;
}>;

/** Collects rows of one message, numbered, each container before the first that is in it. */
export class Rows {
  readonly #equipment: Components;
  readonly #segments: Segment[] = [];
  readonly #opened = new Set<number>();

  /** All come through the gateway of this chain (OBX-18). */
  constructor({ chain }: Pick<HospitalRecord, 'chain'>) {
    this.#equipment = [chain, AUTHORITY];
    this.add({ id: GATEWAY, place: '1.0.0.0', status: 'X' });
  }

  /** The place of a measurement; rows of what it is in are added if need be. */
  placeOf({ place: [container, metric] }: MeasurementCode): string {
    const { vmd, channel } = CONTAINERS[container - 1] ?? {};
    if (!this.#opened.has(container) && vmd !== undefined && channel !== undefined) {
      this.add({ id: vmd, place: `1.${container}.0.0`, status: 'X' });
      this.add({ id: channel, place: `1.${container}.1.0`, status: 'X' });
      this.#opened.add(container);
    }
    return `1.${container}.1.${metric}`;
  }

  add({ type, id, place, value, units, range, flags, status, at, observer, method }: Row): void {
    const none = undefined;
    this.#segments.push([
      'OBX', String(this.#segments.length + 1), type, id, place, value, units, range, flags, none, none, status, none, none, at, none, observer, method, this.#equipment,
    ]);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }
}

const SIGNIFICANT = 7;
const MOST_DIGITS = 100;

/** A number as NM has it: without an exponent, and without digits that only arithmetic has brought. */
export function decimal(value: number): string {
  const rounded = Number(value.toPrecision(SIGNIFICANT));
  if (Math.abs(rounded) >= 1e21) return BigInt(rounded).toString();
  const small = /e-(\d+)$/.exec(String(rounded))?.[1];
  return small === undefined ? String(rounded) : rounded.toFixed(Math.min(MOST_DIGITS, Number(small) + SIGNIFICANT)).replace(/\.?0+$/, '');
}
