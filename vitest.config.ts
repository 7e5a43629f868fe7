import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Tests wait for conditions, never for times; on a busy machine that can be long. */
const expect = { poll: { timeout: 60_000, interval: 20 } }

const migrations = await readD1Migrations('./migrations')

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'node',
          expect,
          include: ['test/*.test.ts', 'test/{core,domain,agent,sdk,web,local,soak}/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            // The Worker itself, with faults before its D1 where a test asks for them.
            main: './test/support/faulty-worker.ts',
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: migrations,
                HEADGATE_SECRET: 'a secret for tests',
                HEADGATE_SIGN_UP: 'open',
                HEADGATE_LOCAL_OUTBOX: 'kept',
                // Tests ask as fast as they can; those of the limits set their own.
                HEADGATE_REQUESTS_PER_KEY: 'off',
                HEADGATE_REQUESTS_PER_WORKSPACE: 'off',
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          expect,
          // A runtime for each worker of vitest, not for each file, takes half the time; each test makes a workspace of its own.
          isolate: false,
          include: ['test/{storage,operations,durable,http,wall}/**/*.test.ts'],
          setupFiles: ['test/support/apply-migrations.ts'],
          globalSetup: ['test/support/node/receiver.ts', 'test/support/node/identity-provider.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          expect,
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'fuzz',
          expect,
          include: ['test/fuzz/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'prefect',
          expect,
          include: ['test/prefect/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // Its processes mostly wait for each other, and each test file has a server of its own.
          maxWorkers: 2,
        },
      },
    ],
  },
})
