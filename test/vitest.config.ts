import { defineConfig } from 'vitest/config';

const WHOLE_PROGRAMS = ['test/path/**/*.test.ts'];
/** What kills programs, cuts lines and counts what was lost on the way: each has the machine for itself. */
const ALONE = ['test/faults/**/*.test.ts', 'test/lab/**/*.test.ts', 'test/path/flows-killed.test.ts', 'test/path/serial-load.test.ts', 'test/path/demo.test.ts', 'test/path/pruning.test.ts'];
const WHOLE_PROGRAM_TIMES = { testTimeout: 300_000, hookTimeout: 120_000 };

/**
 * Three projects, one after the other. `rooms` and `end-to-end` run two files at a time, each in a process of its own (the RocksDB addon is
 * native code). `rooms` expects every test to be quick; `end-to-end` starts whole gateways, which mostly wait; `alone` has one file at a time.
 */
export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: [...WHOLE_PROGRAMS, ...ALONE],
          maxWorkers: 2,
          testTimeout: 20_000,
          hookTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'end-to-end',
          include: WHOLE_PROGRAMS,
          exclude: ALONE,
          maxWorkers: 2,
          ...WHOLE_PROGRAM_TIMES,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          maxWorkers: 1,
          ...WHOLE_PROGRAM_TIMES,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
