import { afterEach, describe, expect, it, vi } from 'vitest';
import { aptLine, missingPackages, needs, NOTE_START } from '../debian-packages.ts';

afterEach(() => void vi.unstubAllEnvs());

describe('a suite that needs a Debian package', () => {
  it('runs where the package is there', () => {
    vi.stubEnv('VITALGATE_UNAVAILABLE', '');
    expect(needs('mosquitto', 'mosquitto-clients')).toEqual({ missing: false, note: '' });
  });

  it('stays out, and says why in its title, where the package is missing', () => {
    vi.stubEnv('VITALGATE_UNAVAILABLE', 'mosquitto-clients');
    expect(needs('mosquitto')).toEqual({ missing: false, note: '' });
    expect(needs('mosquitto', 'mosquitto-clients')).toEqual({ missing: true, note: ` ${NOTE_START}mosquitto-clients]` });
  });

  it('cannot name a package nobody installs', () => {
    expect(() => needs('mosqitto')).toThrow('not in the table');
  });
});

describe('the table of packages', () => {
  it('finds commands on the path only', () => {
    vi.stubEnv('PATH', '/nowhere');
    const missing = missingPackages();
    expect(missing.map(({ name }) => name)).toContain('mosquitto-clients');
    expect(aptLine(missing)).toMatch(/^sudo apt-get install -y .*mosquitto-clients/);
  });
});
