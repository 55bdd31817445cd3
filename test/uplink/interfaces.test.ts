import { describe, expect, it } from 'vitest';
import { systemInterfaces } from '../../gateway/uplink/interfaces.ts';

const interfaces = systemInterfaces();

describe('what the machine says of its interfaces', () => {
  it('an interface is found with its address, and an address with its interface', () => {
    expect(interfaces.find({ interface: 'lo' })).toEqual({ address: '127.0.0.1', interface: 'lo' });
    expect(interfaces.find({ address: '127.0.0.1' })).toEqual({ address: '127.0.0.1', interface: 'lo' });
    expect(interfaces.find({ address: '127.0.0.2' })).toEqual({ address: '127.0.0.2' });
  });

  it('what is not there is absent, with the reason', () => {
    expect(interfaces.find({ interface: 'wwan9' })).toEqual({ absent: 'there is no interface wwan9' });
    expect(interfaces.find({ address: '198.51.100.1' })).toEqual({ absent: 'no interface has the address 198.51.100.1' });
    expect(interfaces.bytesOf('wwan9')).toBeUndefined();
  });

  it('bytes are counted, and every start of the machine has a name', () => {
    expect(interfaces.bytesOf('lo')).toBeGreaterThanOrEqual(0);
    expect(interfaces.boot).toMatch(/^[0-9a-f-]{36}$/);
  });
});
