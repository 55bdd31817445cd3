/** The palette: nodes for caregivers, over the contract of gateway/flows/ (README.md). */

import { Palette } from './lib/palette.js';
import { acknowledge, escalate, noteToRecord, patientContext, raiseAlarm, simulate } from './nodes/asks.js';
import { editorRoutes, gateway } from './nodes/gateway.js';
import { alarmIn, blockIn, deviceIn, eventIn, roomIn, vitalIn } from './nodes/inputs.js';
import { noData, quietHours, when } from './nodes/judges.js';
import { notify } from './nodes/notify.js';

const NODES = [
  gateway, alarmIn, vitalIn, eventIn, roomIn, deviceIn, blockIn, patientContext, when, noData, quietHours,
  raiseAlarm, acknowledge, escalate, notify, noteToRecord, simulate,
];

/** @param {import('./red.d.ts').Red} RED @param {() => Date} now */
export default function vitalgate(RED, now = () => new Date()) {
  const palette = new Palette(RED, now);
  for (const node of NODES) node(palette);
  editorRoutes(palette);
}
