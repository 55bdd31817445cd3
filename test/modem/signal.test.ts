import { describe, expect, it } from 'vitest';
import { readCesq, readCpsi, readCsq, readQeng } from '../../gateway/modem/signal.ts';

describe('signal out of +CESQ', () => {
  it.each([
    // Nine numbers of a 5G modem; its own page of the same second says -11.0 dB, -87 dBm, 15.0 dB.
    ['+CESQ: 99,99,255,255,255,255,65,70,77', { rsrq: -11, rsrp: -87, sinr: 15 }],
    ['+CESQ: 99,99,255,255,255,255,83,73,77', { rsrq: -2, rsrp: -84, sinr: 15 }],
    ['+CESQ: 27,99,255,255,16,44,255,255,255', { rsrq: -12, rsrp: -97 }],
    ['+CESQ: 17,99,255,255,4,29,75,52,57', { rsrq: -6, rsrp: -105, sinr: 5 }],
    ['+CESQ: 99,99,255,255,20,60', { rsrq: -10, rsrp: -81 }],
    ['+CESQ: 99,99,255,255,255,255', {}],
    ['+CESQ: ', {}],
  ])('%s', (line, signal) => {
    expect(readCesq(line)).toEqual(signal);
  });
});

describe('signal out of +CSQ', () => {
  it.each([['+CSQ: 9, 99', { rssi: -95 }], ['+CSQ: 31,0', { rssi: -51 }], ['+CSQ: 99,99', {}], ['+CSQ:0,0', { rssi: -113 }]])('%s', (line, signal) => {
    expect(readCsq(line)).toEqual(signal);
  });
});

describe('signal out of Quectel +QENG', () => {
  it.each([
    [
      '5G beside LTE, SINR in tenths',
      ['+QENG: "servingcell","NOCONN"', '+QENG: "LTE","FDD",1,01,1A2D001,1,1575,3,3,3,1,-70,-9,-46,25,-', '+QENG:"NR5G-NSA",1,01,500,-75,180,-11'],
      { rsrp: -75, sinr: 18, rsrq: -11, technology: '5G NSA' },
    ],
    [
      '5G beside LTE, SINR in dB',
      ['+QENG: "servingcell","NOCONN"', '+QENG: "LTE","FDD",515,03,3359966,1,150,1,5,5,4AA3,-89,-13,-58,16,15,20,-', '+QENG:"NR5G-NSA",515,03,832,-76,21,-11,528030,41,8,1'],
      { rsrp: -76, sinr: 21, rsrq: -11, technology: '5G NSA' },
    ],
    [
      '5G alone, a space before the country',
      ['+QENG: "servingcell","NOCONN","NR5G-SA","TDD", 515,66,100072000,538,114000,620640,78,12,-109,-12,14,1,-'],
      { rsrp: -109, rsrq: -12, sinr: 14, technology: '5G SA' },
    ],
    [
      'LTE alone',
      ['+QENG: "servingcell","NOCONN","LTE","FDD",262,01,1A2D001,1,1575,3,3,3,1,-70,-9,-46,25,-,-,-'],
      { rsrp: -70, rsrq: -9, sinr: 30, technology: 'LTE' },
    ],
    ['a modem that looks for a network', ['+QENG: "servingcell","SEARCH"'], undefined],
  ])('%s', (_what, lines, signal) => {
    expect(readQeng(lines)).toEqual(signal);
  });
});

describe('signal out of SIMCom +CPSI', () => {
  it.each([
    ['LTE', ['+CPSI: LTE,Online,404-45,0x21F9,322642,453,EUTRAN-BAND40,39275,4,4,-168,-1126,-773,7'], { rsrp: -112.6, rsrq: -16.8, sinr: 7, technology: 'LTE' }],
    ['5G alone', ['+CPSI: NR5G_SA,Online,262-01,0x1A2D,1101004800,538,NR5G_BAND78,620640,-920,-110,145'], { rsrp: -92, rsrq: -11, sinr: 14.5, technology: '5G SA' }],
    [
      '5G beside LTE, newer firmware',
      ['+CPSI: LTE,Online,262-01,0x21F9,322642,453,EUTRAN-BAND3,1575,5,5,-110,-900,-600,15', '+CPSI: NR5G_NSA,500,NR5G_BAND78,620640,-850,-105,200'],
      { rsrp: -85, rsrq: -10.5, sinr: 20, technology: '5G NSA' },
    ],
    [
      '5G beside LTE, older firmware: the other order, whole units',
      ['+CPSI: LTE,Online,262-01,0x21F9,322642,453,EUTRAN-BAND3,1575,5,5,-110,-900,-600,15', '+CPSI: NR5G,500,620640,-11,-85,20.5'],
      { rsrp: -85, rsrq: -11, sinr: 20.5, technology: '5G NSA' },
    ],
    ['nothing', ['+CPSI: NO SERVICE,Online'], undefined],
  ])('%s', (_what, lines, signal) => {
    expect(readCpsi(lines)).toEqual(signal);
  });
});
