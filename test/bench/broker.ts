import type { Login } from './raw-device.ts';

/** A broker process under load. */
export type Broker = AsyncDisposable &
  Readonly<{
    name: string;
    pid: number;
    port: number;
    devices: readonly Login[];
    /** What stands between an acknowledgement and a power cut, in words. */
    sync: string;
  }>;

export const deviceIds = (count: number): string[] => Array.from({ length: count }, (_, i) => `bench-${String(i).padStart(2, '0')}`);

/** For brokers that let everybody in. */
export const anonymousDevices = (count: number): Login[] => deviceIds(count).map((id) => ({ id, password: 'not checked' }));
