import { defineConfig } from 'vitest/config';

const END_TO_END = ['test/path/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/lab/**/*.test.ts'];

/**
 * Two projects. `rooms` runs two files at a time, each in a process of its own (the RocksDB addon is native code), and
 * expects every test to be quick. `end-to-end` starts whole gateways, kills them and measures nothing else meanwhile: one
 * file at a time, after the rooms.
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
          exclude: END_TO_END,
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
          include: END_TO_END,
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
