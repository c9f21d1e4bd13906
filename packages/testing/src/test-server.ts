import { startTemporaryPostgres } from './temporary-postgres.ts'

/** A server for one test run. */
export interface TestServer extends AsyncDisposable {
  /** URL of a role that may create databases. */
  readonly url: string
}

/** An error about the machine, not the code: without a stack, so that vitest shows the one line that says what to do. */
export const plainError = (message: string): Error => {
  const error = new Error(message)
  error.stack = message
  return error
}

/**
 * The server that the tests run on: `TEST_DATABASE_URL`, else a container with `TEST_POSTGRES=container`, else an embedded one in a
 * temporary folder, which ends with this process in whatever way that ends.
 */
export const startTestServer = (env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<TestServer> => {
  const url = env['TEST_DATABASE_URL']
  if (url !== undefined && url !== '') return Promise.resolve({ url, [Symbol.asyncDispose]: () => Promise.resolve() })
  return env['TEST_POSTGRES'] === 'container' ? startContainer(env) : startTemporaryPostgres({ durable: false, log })
}

const startContainer = async (env: NodeJS.ProcessEnv): Promise<TestServer> => {
  const image = env['TEST_POSTGRES_IMAGE'] ?? 'postgres:18-alpine'
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  try {
    const container = await new PostgreSqlContainer(image).start()
    return {
      url: container.getConnectionUri(),
      [Symbol.asyncDispose]: async () => {
        await container.stop()
      },
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw plainError(
      `TEST_POSTGRES=container, but ${image} could not be started: ${reason}. Leave TEST_POSTGRES out to use the embedded one.`,
    )
  }
}
