import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{packages,apps}/*/{src,test}/**/*.test.ts'],
    globalSetup: ['packages/testing/src/global-setup.ts'],
    reporters: ['default', './.ci/reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The suite waits as much as it works: one file for each core keeps both busy, and halves the 16 minutes of one at a time.
    maxWorkers: '100%',
  },
})
