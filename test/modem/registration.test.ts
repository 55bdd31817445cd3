import { describe, expect, it } from 'vitest';
import { bestOf, readOperator, readRegistration } from '../../gateway/modem/registration.ts';

describe('a line about registration', () => {
  it.each([
    ['+CEREG: 2,1,"1234","00123456",7', { registration: 'home', technology: 'LTE' }],
    ['+CEREG: 1,"1234","00123456",7', { registration: 'home', technology: 'LTE' }],
    ['+CEREG: 5', { registration: 'roaming', technology: undefined }],
    ['+CEREG: 0,2', { registration: 'searching', technology: undefined }],
    ['+CEREG: 2,3,,,,0,15', { registration: 'denied', technology: undefined }],
    ['+CGREG: 2,1,"1234","00123456",7,"FF"', { registration: 'home', technology: 'LTE' }],
    ['+CREG:002,001,"18d8","ffff"', { registration: 'home', technology: undefined }],
    ['+CREG: 2,,', { registration: 'unknown', technology: undefined }],
    ['+CEREG: 2,1,"1234","00123456",B', { registration: 'home', technology: '5G SA' }],
    ['+C5GREG: 2,1,"114000","100072000",11,4,"01.010101"', { registration: 'home', technology: '5G SA', slices: '01.010101' }],
    // Some firmware leaves the first field out of answers too.
    ['+C5GREG: 1,"1964","260768000",11,4,"01.D143A5"', { registration: 'home', technology: '5G SA', slices: '01.D143A5' }],
    ['+C5GREG: 2,0', { registration: 'idle', technology: undefined }],
    ['+CSQ: 1,2', undefined],
  ])('%s', (line, expected) => {
    expect(readRegistration(line)).toEqual(expected);
  });

  it('the best of several counts: on standalone 5G the others say that there is nothing', () => {
    const lines = ['+CREG: 2,0', '+CEREG: 2,4', '+C5GREG: 2,5,"1","2",11,1,"01"'];
    expect(bestOf(lines.flatMap((line) => readRegistration(line) ?? []))).toEqual({ registration: 'roaming', technology: '5G SA', slices: '01' });
    expect(bestOf([])).toEqual({ registration: 'unknown', technology: undefined });
  });
});

describe('the operator', () => {
  it.each([
    ['+COPS:0,2,"25001",13', { operator: '25001', technology: '5G NSA' }],
    ['+COPS: 0,0,"CHINA MOBILE",11', { operator: 'CHINA MOBILE', technology: '5G SA' }],
    ['+COPS: 0', undefined],
    ['+CSQ: 1,1', undefined],
  ])('%s', (line, expected) => {
    expect(readOperator(line)).toEqual(expected);
  });
});
