import { pino, type Logger } from 'pino';

export type { Logger };

/** Names under which something about a person could be handed to a log call. They are blanked wherever they stand. */
const PERSONAL = ['payload', 'value', 'values', 'readings', 'subject', 'patient', 'password', 'secret', 'salt', 'key', 'token', 'authorization', 'cookie', 'person', 'people'];

/**
 * One JSON object a line on standard error, for journald and for people with `jq`. Health data and secrets are redacted
 * even if a call names them by mistake; device ids and sequences are what a log may name.
 */
export function createLog(level: string, name: string): Logger {
  const paths = PERSONAL.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino(
    {
      name,
      level,
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '[redacted]' },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
