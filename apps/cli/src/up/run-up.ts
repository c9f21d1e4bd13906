import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectTo } from '../core/connect.ts'
import { Interrupted } from '../core/failure.ts'
import { dataDirOf } from '../core/settings.ts'
import { counted, formatDuration } from '../print/units.ts'
import { plainText } from '../print/plain-text.ts'
import { signInLink } from '../console.ts'
import { buildConsole } from './build-console.ts'
import { startChild, type Child } from './child.ts'
import { prepareDataDir } from './data-dir.ts'
import { runFirstCapture } from './first-capture.ts'
import { startNodes } from './nodes.ts'
import { ensureOwner } from './owner.ts'
import { assertPortFree } from './port.ts'
import { assertServersAnswer } from './preflight.ts'
import type { Processes } from './processes.ts'
import { chooseSource, findServerProgram } from './sources.ts'
import { startSource } from './start-source.ts'
import { stopCaptures } from './stop-captures.ts'
import { migrateStore, openStore } from './store.ts'
import { Watch } from './watch.ts'

export interface UpOptions {
  dataDir: string
  port: number
  host: string
  targets: readonly string[]
  clusters: readonly string[]
  /** Length of the first capture, in milliseconds; undefined: none. */
  captureMs: number | undefined
  processes: Processes
  signal: AbortSignal
}

const CONTROL_PLANE_MAIN = fileURLToPath(import.meta.resolve('@sonde/control-plane/main'))
const READY_MS = 30_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const step = (what: string, text: string): void => say(`  ${what.padEnd(15)} ${text}`)

/**
 * Starts everything, in order, and stays until the signal aborts or a process ends that the rest needs; then stops everything
 * in the reverse order. `ready` tells whether it had come up: whether its nodes were online.
 */
export const runUp = async (options: UpOptions): Promise<{ ready: boolean }> => {
  const { signal, processes, dataDir } = options
  const progress = { ready: false }
  const source = chooseSource(options, findServerProgram(process.env))
  await assertServersAnswer(options)
  prepareDataDir(dataDir)
  const before = await processes.takeOver()
  const watch = new Watch(signal)
  const stack = new AsyncDisposableStack()
  stack.defer(() => processes.release())
  let since = performance.now()
  const stopping = (): void => {
    since = performance.now()
    say('\nStopping')
  }
  if (signal.aborted) stopping()
  signal.addEventListener('abort', stopping)
  try {
    await assertPortFree(options.host, options.port)
    say('Sonde')
    if (before.wasKilled) step('Earlier run', `was killed${leftWords(before.stopped.length)}`)
    await bringUp({ ...options, source, earlierCaptureId: before.captureId, watch }, stack, progress)
  } catch (thrown) {
    const cause = await watch.causeOf(thrown)
    watch.isStopping = true
    signal.removeEventListener('abort', stopping)
    if (!(cause instanceof Interrupted)) {
      if (progress.ready) say('\nStopping, because something ended that the rest needs')
      await stack.disposeAsync()
      throw cause
    }
  }
  await stack.disposeAsync()
  say(`Stopped in ${formatDuration(performance.now() - since)}. The data stays in ${dataDir}`)
  return progress
}

const leftWords = (count: number): string =>
  count === 0 ? '' : `; ${counted(count, 'process', 'processes')} that it left ${count === 1 ? 'has' : 'have'} ended`

interface BringUpOptions extends UpOptions {
  source: ReturnType<typeof chooseSource>
  earlierCaptureId: string | undefined
  watch: Watch
}

/** Runs until the watch's signal aborts, and throws its reason. */
const bringUp = async (options: BringUpOptions, stack: AsyncDisposableStack, progress: { ready: boolean }) => {
  const { processes, dataDir, watch } = options
  const { signal } = watch
  const store = await openStore({
    dataDir,
    env: process.env,
    processes,
    watch,
    stack,
    say: (text) => step('PostgreSQL', text),
  })
  signal.throwIfAborted()
  const migrations = await migrateStore(store)
  step('PostgreSQL', store.description)
  step('Schema', migrations)
  signal.throwIfAborted()

  const unbuilt = await buildConsole()
  signal.throwIfAborted()
  const controlPlane = stack.use(startControlPlane(options, store.url))
  const { url } = await controlPlane.message('listening', { signal, timeoutMs: READY_MS })
  if (typeof url !== 'string') throw controlPlane.failure('did not say where it listens')
  step('Control plane', url)
  watch.needed(controlPlane.exited, (how) =>
    controlPlane.failure(`ended (${how}), so everything was stopped`, 'What was stored is kept; start again.'),
  )

  const owner = await ensureOwner({ dataDir, databaseUrl: store.url, url })
  if (owner.isNew) step('Owner token', `${owner.token}  (shown only now; kept in ${join(dataDir, 'cli.json')})`)
  if (owner.movedTo) step('Session', `"${plainText(owner.movedTo.name)}" (${owner.sessionId}): ${MOVED}`)
  const connection = stack.use(await connectTo({ url, token: owner.token, session: owner.sessionId }))
  const { sessionId } = owner
  const { code } = await connection.call((rpc) => rpc.signIn.createCode.mutate())
  step('Console', unbuilt ?? `${signInLink(url, code)}  (signs in once, within 10 minutes)`)
  const earlier = await connection.call((rpc) => rpc.captures.list.query({ sessionId, limit: 1000 }))
  if (!owner.isNew && !owner.movedTo) step('Data', `kept from before: ${counted(earlier.captures.length, 'capture')}`)

  const source = await startSource(options.source, { dataDir, processes, stack, watch, say })
  step('Servers', source.description)
  const nodes = stack.use(await startNodes({ owner, connection, dataDir, processes, signal, daemons: source.daemons }))
  stack.defer(() => stopCaptures({ connection, sessionId, nodeIds: nodes.nodeIds }))
  step('Nodes', `${nodes.children.length} online, reading ${counted(nodes.targets.length, 'server')}`)
  // One node that fails does not disturb the others.
  for (const { name, exited, logPath } of nodes.children) {
    watch.told(exited, (how) => say(`${name} ended (${how}); the others go on. Its log: ${logPath}`))
  }
  progress.ready = true

  say('')
  const { captureMs: durationMs } = options
  const first = { connection, sessionId, targets: nodes.targets, processes, signal, say }
  const earlierId = options.earlierCaptureId
  const capture =
    durationMs === undefined ? undefined : await watch.orFailure(runFirstCapture({ ...first, durationMs, earlierId }))
  for (const line of nextSteps(dataDir, capture?.id ?? earlier.captures[0]?.id)) say(line)
  await watch.untilAborted()
}

const MOVED = 'the one of before takes no more work'

const startControlPlane = (options: UpOptions, databaseUrl: string): Child =>
  startChild({
    name: 'control plane',
    main: CONTROL_PLANE_MAIN,
    env: { ...process.env, DATABASE_URL: databaseUrl, SONDE_HOST: options.host, SONDE_PORT: String(options.port) },
    dataDir: options.dataDir,
    processes: options.processes,
  })

const nextSteps = (dataDir: string, captureId: string | undefined): string[] => {
  const where = dataDir === dataDirOf(undefined, {}) ? '' : `SONDE_DATA_DIR=${plainText(dataDir)} `
  return [
    '\nTry next, in another terminal:',
    `  ${where}npx sonde nodes`,
    `  ${where}npx sonde capture list`,
    captureId === undefined
      ? `  ${where}npx sonde capture start --all-primaries --wait`
      : `  ${where}npx sonde tail ${captureId} | head`,
    '\nCtrl-C stops everything; the data stays.',
  ]
}
