import { readFileSync, statSync } from 'node:fs';
import { ConfigError, messageOf } from './errors.ts';
import type { Logger } from './operations/log.ts';
import { Seconds } from './quantity.ts';
import { EnrolledGateways, readEnrolled } from './upstream/admission.ts';

/** How often it is looked at. */
const LOOK_EVERY = Seconds(1);

/**
 * The gateways that a file enrols, as it is changed while the node runs. A change that cannot be read changes nothing: the list before it stays in force,
 * and the log says why. Throws {@link ConfigError} when it cannot be read at the start.
 */
export function enrolledIn(path: string, log: Logger): Readonly<{ admission: EnrolledGateways; stop: () => void }> {
  let seen = stamp(path);
  const admission = new EnrolledGateways(readEnrolled(textOf(path), path));
  const timer = setInterval(() => {
    const now = stamp(path);
    if (now === seen) return;
    seen = now;
    try {
      admission.replace(readEnrolled(textOf(path), path));
      log.info({ file: path, gateways: admission.count }, 'the list of gateways was read again');
    } catch (error) {
      log.error({ file: path, error: messageOf(error) }, 'the list of gateways cannot be read; the one before it stays in force');
    }
  }, LOOK_EVERY);
  timer.unref();
  return { admission, stop: () => clearInterval(timer) };
}

/** Another one after every change; empty while the file is not there. */
function stamp(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino}/${found.mtimeMs}/${found.size}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`the list of gateways ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
