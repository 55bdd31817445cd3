import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resetUsbDeviceOf } from '../../gateway/modem/usb-reset.ts';
import { Millis } from '../../gateway/quantity.ts';

describe('taking a modem off the USB bus and back', () => {
  let folder: string;
  let classes: string;
  const device = (): string => join(folder, 'devices/usb1/1-1');
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-usb-'));
    classes = join(folder, 'class');
    mkdirSync(classes);
    const port = join(device(), '1-1:1.3/ttyUSB3/tty/ttyUSB3');
    mkdirSync(port, { recursive: true });
    // As Linux has it: the interface has a switch, too.
    writeFileSync(join(device(), '1-1:1.3/authorized'), '1');
    writeFileSync(join(device(), 'authorized'), '1');
    writeFileSync(join(device(), 'idVendor'), '2c7c\n');
    symlinkSync(port, join(classes, 'ttyUSB3'));
    mkdirSync(join(folder, 'dev'));
    writeFileSync(join(folder, 'dev/ttyUSB3'), '');
    symlinkSync(join(folder, 'dev/ttyUSB3'), join(folder, 'dev/modem-by-id'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('switches the device of the port, by whatever name, off and on again; its interface is left alone', async () => {
    const switched = (): string => readFileSync(join(device(), 'authorized'), 'utf8');
    const resetting = resetUsbDeviceOf(join(folder, 'dev/modem-by-id'), { classes, offFor: Millis(100) });
    await expect.poll(switched, { interval: 1 }).toBe('0');
    await resetting;
    expect(switched()).toBe('1');
    expect(readFileSync(join(device(), '1-1:1.3/authorized'), 'utf8')).toBe('1');
  });

  it('says what keeps it from that', async () => {
    writeFileSync(join(folder, 'dev/pts7'), '');
    await expect(resetUsbDeviceOf(join(folder, 'dev/pts7'), { classes })).rejects.toThrow(/pts7 belongs to no USB device$/);
    rmSync(join(device(), 'authorized'));
    mkdirSync(join(device(), 'authorized'));
    await expect(resetUsbDeviceOf(join(folder, 'dev/ttyUSB3'), { classes })).rejects.toThrow(/cannot be reset: EISDIR.+; let the gateway write .+\/1-1\/authorized$/);
  });
});
