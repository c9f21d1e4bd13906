import { createRuntimeNode, createUploader, openStateDir } from '@sonde/daemon-sdk'
import type { Clock, SondeError } from '@sonde/contracts'
import type { Logger } from 'pino'
import { OWN_CEILINGS, type DaemonConfig } from './config.ts'
import { Segments } from './segments.ts'
import { Targets } from './targets.ts'

/** `MAJOR.MINOR` of this daemon, which a session's floor is compared with. */
const CLIENT_VERSION = '0.1'

/** For shipping what is read when the daemon is told to stop: supervisors kill after a few seconds. */
const STOP_BUDGET_MS = 2000
const FIRST_LOOK_MS = 2000

export interface RuntimeOptions {
  config: DaemonConfig
  clock: Clock
  random: () => number
  log: Logger
  onOnline: (node: { nodeId: string }) => void
  /** Final: the control plane refuses this node, or a newer process of it has taken over. */
  onRefused: (why: { code: SondeError['code']; message: string }) => void
}

/** A daemon at work. Dispose to stop: sources are closed, what can be shipped in 2 s is, and the node is detached. */
export interface Runtime extends AsyncDisposable {
  readonly nodeId: string
}

const capabilitiesOf = ({ targets, name }: DaemonConfig) => ({
  monitor: {
    sources: [...new Set(targets.map(({ kind }) => (kind === 'synthetic' ? 'synthetic' : 'server')))],
    maxDurationMs: OWN_CEILINGS.durationMs,
    maxBytes: OWN_CEILINGS.bytes,
    ...(name !== undefined && { name }),
  },
})

/** Starts the daemon; it attaches and comes back by itself whatever breaks. Throws only when the state
 * directory cannot be had. */
export const startRuntime = async (options: RuntimeOptions): Promise<Runtime> => {
  const { config, clock, random, log, onOnline, onRefused } = options
  const { url, token, sessionId, name } = config
  const stateDir = openStateDir(config.stateDir)
  const { nodeId } = stateDir
  const uploader = createUploader({ url, token, clock, random, log, onRejected: (chunk) => segments.refused(chunk) })
  const node = createRuntimeNode({
    url,
    token,
    ...(sessionId !== undefined && { sessionId }),
    nodeId,
    clientVersion: CLIENT_VERSION,
    capabilities: capabilitiesOf(config),
    onCommand: ({ body }) => segments.run(body),
    clock,
    random,
    log,
  })
  const targets = new Targets({
    specs: config.targets,
    nodeId,
    ...(name !== undefined && { name }),
    clock,
    random,
    log,
    declare: (list) => void node.declareTargets(list).catch(() => undefined),
  })
  const segments = new Segments({
    find: (targetId) => targets.find(targetId),
    shipper: uploader,
    report: (progress) => node.report(progress),
    sendManifest: async ({ captureId, segmentNo }, manifest) => {
      const { storage, missing } = await node.manifest({ captureId, segmentNo, manifest })
      if (storage !== 'complete') log.warn({ captureId, segmentNo, missing }, 'the store lacks chunks of a segment')
    },
    sourceEnded: () => void targets.refresh(),
    clock,
    log,
  })

  node.on('targetsDeclared', ({ list, targetIds }) => targets.declared(list, targetIds))
  node.on('credit', ({ creditBytes }) => uploader.setCredit(creditBytes))
  node.on('attached', ({ epoch, previousEpoch }) => {
    log.info({ epoch, previousEpoch }, 'attached')
    if (previousEpoch !== undefined && previousEpoch !== epoch) segments.endAll('the node was attached anew')
  })
  node.on('online', ({ epoch }) => {
    log.info({ epoch }, 'online')
    onOnline({ nodeId })
  })
  node.on('readOnlyChanged', ({ readOnly }) => log.warn({ readOnly }, 'read-only changed'))
  node.on('disconnected', () => log.warn({}, 'the control plane cannot be reached; trying again'))
  node.on('reconnected', () => log.info({}, 'the control plane is back'))
  node.on('fenced', () => {
    onRefused({ code: 'runtimenode.fenced', message: 'A newer process of this node has taken over. Stop one of them.' })
  })
  node.on('revoked', onRefused)

  // The first list is known before the first attach, so that the node is of use as soon as it is online; unless a server
  // does not even refuse.
  await within(clock, FIRST_LOOK_MS, targets.refresh())
  node.start()
  return {
    nodeId,
    [Symbol.asyncDispose]: async () => {
      await within(clock, STOP_BUDGET_MS, segments.stopAll('the daemon was stopped'))
      segments[Symbol.dispose]()
      targets[Symbol.dispose]()
      await node.stop({ reason: 'the daemon was stopped' })
      await uploader[Symbol.asyncDispose]()
      stateDir[Symbol.dispose]()
    },
  }
}

/** Waits for the work, and no longer than `ms`. */
const within = async (clock: Clock, ms: number, work: Promise<void>): Promise<void> => {
  const { promise: overdue, resolve } = Promise.withResolvers<void>()
  const timer = clock.setTimeout(resolve, ms)
  await Promise.race([work, overdue])
  clock.clearTimeout(timer)
}
