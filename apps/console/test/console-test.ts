import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createOwnerToken } from '@sonde/database'
import { startControlPlane, startDaemon } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { build } from 'vite'
import { findChromium, launchChromium } from './browser.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const WITHOUT =
  'No Chromium was found. Install it (Debian: apt-get install chromium), or name one with CHROMIUM, to test the console.'

const program = findChromium(process.env)
const isCi = (process.env['CI'] ?? '') !== ''
// The default reporter hides why a test was skipped.
if (program === undefined && !isCi) console.warn(`Tests of the console are left out. ${WITHOUT}`)

const buildConsole = async (outDir: string): Promise<void> => {
  const { NODE_ENV } = process.env
  // Vitest's `test` would build React's development version.
  process.env['NODE_ENV'] = 'production'
  try {
    await build({ root: ROOT, logLevel: 'warn', build: { outDir } })
  } finally {
    process.env['NODE_ENV'] = NODE_ENV
  }
}

interface Call {
  url: string
  token: string
}

/** Of the session in which the tests work. */
export interface Owner extends Call {
  sessionId: string
}

/** Calls a mutation as the bearer of a token. Throws with the answer when it is refused. */
export const mutate = async <T>({ url, token }: Call, procedure: string, input?: object): Promise<T> => {
  const response = await fetch(`${url}/trpc/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(input),
  })
  if (!response.ok) throw new Error(await response.text())
  return ((await response.json()) as { result: { data: T } }).result.data
}

/** `dbTest` with the sources' console, built; a control plane that serves it; and Chromium. */
export const consoleTest = dbTest
  .extend('chromium', { auto: true }, ({ skip }): string => {
    if (program !== undefined) return program
    if (isCi) throw new Error(WITHOUT)
    return skip(WITHOUT)
  })
  .extend('home', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }): Promise<string> => {
    const home = await mkdtemp(join(tmpdir(), `sonde-console-${basename(databaseUrl)}-`))
    onCleanup(() => rm(home, { recursive: true, force: true }))
    return home
  })
  .extend('server', { scope: 'file' }, async ({ databaseUrl, home }, { onCleanup }) => {
    const outDir = join(home, 'dist')
    await buildConsole(outDir)
    const server = await startControlPlane({
      databaseUrl,
      env: { SONDE_CONSOLE_DIR: outDir, SONDE_HEARTBEAT_MS: '1000' },
    })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })
  .extend('owner', { scope: 'file' }, async ({ database, server }): Promise<Owner> => {
    const { token, sessionId } = await createOwnerToken(database.db, { name: 'Ada', sessionName: 'production' })
    return { url: server.url, token, sessionId }
  })
  /** Daemons with the traffic source that is built in, each a node of its own. */
  .extend('nodeIds', { scope: 'file' }, async ({ home, owner }, { onCleanup }): Promise<string[]> => {
    const daemons = new AsyncDisposableStack()
    onCleanup(() => daemons.disposeAsync())
    const nodeIds: string[] = []
    for (const name of ['edge-1', 'edge-2', 'edge-3']) {
      const { token } = await mutate<{ token: string }>(owner, 'tokens.create', {
        kind: 'node',
        sessionId: owner.sessionId,
        name,
      })
      const stateDir = join(home, name)
      const sources = ['--target', 'synthetic:', '--name', name]
      const daemon = daemons.use(await startDaemon({ url: owner.url, token, stateDir, sources }))
      nodeIds.push(daemon.nodeId)
    }
    return nodeIds
  })
  /** A fresh page of a browser with no cookies, and what its console complained about. */
  .extend('page', async ({ chromium }, { onCleanup }) => {
    const browser = await launchChromium(chromium)
    onCleanup(() => browser.close())
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', timezoneId: 'UTC' })
    page.setDefaultTimeout(15_000)
    return page
  })

/** A link that signs one browser in. */
export const signInLink = async (owner: Call): Promise<string> => {
  const { code } = await mutate<{ code: string }>(owner, 'signIn.createCode')
  return `${owner.url}/#code=${code}`
}
