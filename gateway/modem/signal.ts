/** How strong and how clean the radio signal is, out of what different modems say of it. Unknown is undefined, never 0. */

import { fieldsOf, numberIn } from './fields.ts';
import type { Technology } from './registration.ts';

export type Signal = Readonly<{
  /** Reference signal received power, dBm (3GPP TS 36.214 §5.1.1, TS 38.215 §5.1.1). */
  rsrp?: number;
  /** Reference signal received quality, dB. */
  rsrq?: number;
  /** Signal to interference and noise, dB. */
  sinr?: number;
  /** Where nothing else is told: received signal strength, dBm (`+CSQ`). */
  rssi?: number;
  /** Where the line says it. */
  technology?: Technology;
}>;

/** `+CESQ` (3GPP TS 27.007 §8.69): six numbers, nine with 5G; each stands for an interval, and its lower edge is given. */
export function readCesq(line: string): Signal | undefined {
  if (!line.startsWith('+CESQ:')) return undefined;
  const [, , , , rsrq, rsrp, ssRsrq, ssRsrp, ssSinr] = fieldsOf(line).map(numberIn);
  const nr = signalOf({ rsrp: index(ssRsrp, 126, -157, 1), rsrq: index(ssRsrq, 126, -43.5, 0.5), sinr: index(ssSinr, 127, -23.5, 0.5) });
  if (nr.rsrp !== undefined) return nr;
  return signalOf({ rsrp: index(rsrp, 97, -141, 1), rsrq: index(rsrq, 34, -20, 0.5) });
}

/** `+CSQ` (3GPP TS 27.007 §8.5). */
export function readCsq(line: string): Signal | undefined {
  if (!line.startsWith('+CSQ:')) return undefined;
  const rssi = index(numberIn(fieldsOf(line)[0]), 31, -113, 2);
  return rssi === undefined ? {} : { rssi };
}

/** Quectel `AT+QENG="servingcell"`, all its lines. With LTE and 5G at once the signal is that of 5G, which carries the data. */
export function readQeng(lines: readonly string[]): Signal | undefined {
  const cells = lines.filter((line) => line.startsWith('+QENG:')).map((line) => fieldsOf(line));
  const after = (name: string): string[] | undefined => {
    const cell = cells.find((fields) => fields.includes(name));
    return cell?.slice(cell.indexOf(name) + 1);
  };
  const standalone = after('NR5G-SA');
  if (standalone !== undefined) {
    const [rsrp, rsrq, sinr] = standalone.slice(9).map(numberIn);
    return { ...signalOf({ rsrp, rsrq, sinr: tenths(sinr) }), technology: '5G SA' };
  }
  const beside = after('NR5G-NSA');
  if (beside !== undefined) {
    const [rsrp, sinr, rsrq] = beside.slice(3).map(numberIn);
    return { ...signalOf({ rsrp, rsrq, sinr: tenths(sinr) }), technology: '5G NSA' };
  }
  const lte = after('LTE');
  if (lte === undefined) return undefined;
  const [rsrp, rsrq, , sinr] = lte.slice(10).map(numberIn);
  // 0 to 250 in steps of a fifth of a dB, of which the modem gives every tenth: QMI says 30 dB where this says 25.
  return { ...signalOf({ rsrp, rsrq, sinr: sinr === undefined ? undefined : 2 * sinr - 20 }), technology: 'LTE' };
}

/** SIMCom `AT+CPSI?`, all its lines. Order and scale of what it says of 5G beside LTE changed with the firmware. */
export function readCpsi(lines: readonly string[]): Signal | undefined {
  const cells = lines.filter((line) => line.startsWith('+CPSI:')).map((line) => fieldsOf(line));
  const standalone = cells.find(([mode]) => mode === 'NR5G_SA');
  if (standalone !== undefined) return { ...levels(standalone.slice(8)), technology: '5G SA' };
  const beside = cells.find(([mode]) => mode === 'NR5G_NSA') ?? cells.find(([mode]) => mode === 'NR5G');
  if (beside !== undefined) return { ...levels(beside.slice(beside[0] === 'NR5G' ? 3 : 4)), technology: '5G NSA' };
  const lte = cells.find(([mode]) => mode === 'LTE');
  if (lte === undefined) return undefined;
  const [rsrq, rsrp, , sinr] = lte.slice(10);
  return { ...levels([rsrp, rsrq, sinr], false), technology: 'LTE' };
}

const RSRP = { least: -157, most: -31 };
const RSRQ = { least: -44, most: 20 };

/** RSRP, RSRQ and SINR, whichever of the first two comes first, in whole units or in tenths: no power is below -157 dBm. */
function levels([first, second, third]: readonly (string | undefined)[], isSinrScaled = true): Signal {
  const pair = [first, second].map(numberIn);
  const scale = pair.some((value) => value !== undefined && value < RSRP.least) ? 10 : 1;
  const [one, other] = pair.map((value) => value === undefined ? undefined : value / scale);
  const isSwapped = isWithin(RSRP, other) && isWithin(RSRQ, one);
  const sinr = numberIn(third);
  return signalOf({ rsrp: isSwapped ? other : one, rsrq: isSwapped ? one : other, sinr: isSinrScaled && sinr !== undefined ? sinr / scale : sinr });
}

/** Nothing is 60 dB above noise. */
const tenths = (value: number | undefined): number | undefined => (value !== undefined && Math.abs(value) > 60 ? value / 10 : value);

function signalOf({ rsrp, rsrq, sinr }: Readonly<{ rsrp: number | undefined; rsrq: number | undefined; sinr?: number | undefined }>): Signal {
  return {
    ...(rsrp !== undefined && isWithin(RSRP, rsrp) && { rsrp }),
    ...(rsrq !== undefined && isWithin(RSRQ, rsrq) && { rsrq }),
    ...(sinr !== undefined && sinr >= -40 && sinr <= 60 && { sinr }),
  };
}

const isWithin = ({ least, most }: Readonly<{ least: number; most: number }>, value: number | undefined): boolean => value !== undefined && value >= least && value <= most;

/** 255 stands for unknown, and 99 where a scale ends below it. */
function index(value: number | undefined, most: number, edge: number, step: number): number | undefined {
  return value === undefined || value < 0 || value > most ? undefined : edge + value * step;
}
