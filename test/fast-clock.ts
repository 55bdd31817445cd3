/** Programs that live by a fast clock (libfaketime): hours of a gateway in minutes of a test, with all its timers and both its clocks. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The library; undefined where the Debian package libfaketime is not installed. */
function library(): string | undefined {
  return readdirSync('/usr/lib').map((triplet) => join('/usr/lib', triplet, 'faketime/libfaketime.so.1')).find((path) => existsSync(path));
}

/**
 * The environment of a program whose clock begins `hours` ago and comes to the present when they are over, `speed` times as fast. Undefined where
 * there is no such clock.
 */
export function fastClock(hours: number, speed: number): Readonly<Record<string, string>> | undefined {
  const found = library();
  return found === undefined ? undefined : { LD_PRELOAD: found, FAKETIME: `-${hours * 60}m x${speed}` };
}
