import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { locate, means, usbPorts, type UsbPort } from '../../gateway/ingest/usb-ports.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalgate-usb-'));
afterAll(() => rmSync(folder, { recursive: true }));
const system = { classes: join(folder, 'class/tty'), devices: '/dev' };

/** A port as Linux describes it: below its interface, below its USB device. */
function plugIn(port: string, usb: Readonly<{ vendor: string; product: string; serial?: string }>, levels: readonly string[] = ['1-1:1.0']): void {
  const device = join(folder, 'devices', port);
  const own = join(device, ...levels);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(device, 'idVendor'), `${usb.vendor}\n`);
  writeFileSync(join(device, 'idProduct'), `${usb.product}\n`);
  if (usb.serial !== undefined) writeFileSync(join(device, 'serial'), `${usb.serial}\n`);
  mkdirSync(join(system.classes, port), { recursive: true });
  symlinkSync(own, join(system.classes, port, 'device'));
}

describe('a serial port', () => {
  it('that is named by its path is that path, there or not', () => {
    expect(locate({ path: '/dev/serial/by-id/x' }, system)).toEqual({ path: '/dev/serial/by-id/x' });
  });

  it('is found by its USB numbers, whatever its own number is', () => {
    expect(locate({ usb: { vendor: '10C4', product: 'EA60' } }, system)).toEqual({ missing: 'no USB device 10C4:EA60 is plugged in' });
    plugIn('ttyUSB3', { vendor: '10c4', product: 'ea60', serial: '0001' }, ['1-1:1.0', 'ttyUSB3']);
    plugIn('ttyACM0', { vendor: '2341', product: '0043' });
    expect(locate({ usb: { vendor: '10C4', product: 'EA60' } }, system)).toEqual({ path: '/dev/ttyUSB3' });
    expect(locate({ usb: { vendor: '2341', product: '0043' } }, system)).toEqual({ path: '/dev/ttyACM0' });
    expect(locate({ usb: { vendor: '2341', product: '0044' } }, system)).toMatchObject({ missing: expect.any(String) as string });
  });

  it('is not guessed when two devices could be meant', () => {
    plugIn('ttyUSB0', { vendor: '10c4', product: 'ea60', serial: '0002' });
    expect(locate({ usb: { vendor: '10c4', product: 'ea60' } }, system)).toEqual({ missing: expect.stringMatching(/^2 ports belong to .*give the serial number/) as string });
    expect(locate({ usb: { vendor: '10c4', product: 'ea60', serial: '0002' } }, system)).toEqual({ path: '/dev/ttyUSB0' });
    expect(locate({ usb: { vendor: '10c4', product: 'ea60', serial: '0003' } }, system)).toMatchObject({ missing: expect.stringContaining('0003') as string });
  });

  it('is listed with what its device says of itself, and known to be the one a selector means', () => {
    writeFileSync(join(folder, 'devices/ttyACM0/manufacturer'), 'Arduino LLC\n');
    const ports = usbPorts(system);
    expect(ports).toContainEqual({ path: '/dev/ttyACM0', vendor: '2341', product: '0043', serial: undefined, name: 'Arduino LLC' });
    expect(ports).toHaveLength(3);
    const [one] = ports.filter(({ serial }) => serial === '0002');
    const selected = [{ path: '/dev/ttyUSB0' }, { path: '/dev/ttyUSB9' }, { usb: { vendor: '10C4', product: 'ea60' } }, { usb: { vendor: '10c4', product: 'ea60', serial: '0001' } }];
    expect(selected.map((selector) => means(selector, one as UsbPort))).toEqual([true, false, true, false]);
  });

  it('on a machine without any is not there', () => {
    expect(locate({ usb: { vendor: '10c4', product: 'ea60' } }, { ...system, classes: join(folder, 'none') })).toMatchObject({ missing: expect.any(String) as string });
  });
});
