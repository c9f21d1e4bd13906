import { join } from 'node:path'
import {
  createRuntimeNode,
  createUploader,
  DiskSpool,
  loadNodeKey,
  loadOrCreateNodeKey,
  openStateDir,
  type ChunkId,
  type DiskSpoolOptions,
  type NodeKey,
  type StateDir,
} from '@sonde/daemon-sdk'
import { SondeError, type Clock } from '@sonde/contracts'
import type { Logger } from 'pino'
import { OWN_CEILINGS, type DaemonConfig } from './config.ts'
import { createDrain } from './drain.ts'
import { startGuard } from './guard/guard.ts'
import { loadRedactionKey, type RedactionKey } from './redaction-key.ts'
import { Segments } from './segments.ts'
import { Targets } from './targets.ts'

/** `MAJOR.MINOR` of this daemon, which a session's floor is compared with. */
const CLIENT_VERSION = '0.1'

/** For shipping what is read when the daemon is told to stop: supervisors kill after a few seconds. */
const STOP_BUDGET_MS = 2000
const FIRST_LOOK_MS = 2000
/** An upload costs the control plane as much as 5,000 lines do; a viewer waits for the reorder window of 2 s anyway. */
const LINGER_MS = 100

export interface RuntimeOptions {
  config: DaemonConfig
  clock: Clock
  random: () => number
  log: Logger
  onOnline: (node: { nodeId: string }) => void
  /** Final: the control plane refuses this node, or a newer process of it has taken over. */
  onRefused: (why: { code: SondeError['code']; message: string }) => void
  /** Final: the node was asked to leave, and nothing is left to do here. */
  onDrained: () => void
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
  const { config, clock, random, log, onOnline, onRefused, onDrained } = options
  const { url, token, sessionId, name } = config
  const stateDir = openStateDir(config.stateDir)
  const key = nodeKeyOf(stateDir, config)
  const { nodeId } = stateDir
  const redactionKey = keyOf(stateDir, config.redactionKeyFile)
  const spool = await openSpool(stateDir, {
    maxBytes: config.spoolBytes,
    onDamaged: (chunk) => segments.damaged(chunk),
    clock,
    log,
  })
  const onRejected = (chunk: ChunkId & { code: string }) => segments.refused(chunk)
  const uploader = createUploader({
    url,
    ...(token !== undefined && { token }),
    spool,
    lingerMs: LINGER_MS,
    clock,
    random,
    log,
    onRejected,
  })
  const node = createRuntimeNode({
    url,
    ...(token !== undefined && { token }),
    ...(key && { key }),
    ...(sessionId !== undefined && { sessionId }),
    nodeId,
    clientVersion: CLIENT_VERSION,
    capabilities: capabilitiesOf(config),
    onCommand: ({ body }) => segments.run(body),
    clock,
    random,
    log,
  })
  const guard = startGuard({ limits: config.impact, nodeId })
  const targets = new Targets({
    specs: config.targets,
    nodeId,
    ...(name !== undefined && { name }),
    clock,
    random,
    log,
    guard,
    declare: (list) => void node.declareTargets(list).catch(() => undefined),
  })
  const segments = new Segments({
    find: (targetId) => targets.find(targetId),
    shipper: uploader,
    redactionKey,
    note: (segment, note) => spool.note(segment, note),
    report: (progress) => node.report(progress),
    committed: (refs) => node.committed(refs),
    sendManifest: ({ captureId, segmentNo }, manifest) => node.manifest({ captureId, segmentNo, manifest }),
    sourceEnded: () => void targets.refresh(),
    impact: config.impact,
    clock,
    log,
  })

  let stopReason = 'the daemon was stopped'
  const drain = createDrain({
    segments,
    log,
    onDone: () => {
      stopReason = 'the node was drained'
      onDrained()
    },
  })
  /** Of the attachment that the segments belong to. */
  let knownEpoch: number | undefined
  node.on('targetsDeclared', ({ list, targetIds }) => targets.declared(list, targetIds))
  node.on('credential', ({ token: current }) => uploader.setToken(current))
  node.on('drain', ({ mode }) => drain(mode))
  node.on('credit', ({ creditBytes }) => uploader.setCredit(creditBytes))
  node.on('attached', ({ epoch, previousEpoch }) => {
    log.info({ epoch, previousEpoch }, 'attached')
    if (epoch === knownEpoch) return
    knownEpoch = epoch
    const told = segments.reattached()
    told.catch((error: unknown) => log.warn({ err: error }, 'it is not known what became of the segments'))
    void told.then(() => uploader.resume())
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

  segments.restore(spool.takeRestored())
  // The first list is known before the first attach, so that the node is of use as soon as it is online; unless a server
  // does not even refuse.
  await within(clock, FIRST_LOOK_MS, targets.refresh())
  node.start()
  return {
    nodeId,
    [Symbol.asyncDispose]: async () => {
      await within(clock, STOP_BUDGET_MS, segments.stopAll(stopReason))
      segments[Symbol.dispose]()
      targets[Symbol.dispose]()
      await guard[Symbol.asyncDispose]()
      await node.stop({ reason: stopReason })
      await uploader[Symbol.asyncDispose]()
      await spool[Symbol.asyncDispose]()
      stateDir[Symbol.dispose]()
    },
  }
}

/** The key of a state directory, which is let go of where there is no good one. */
const keyOf = (stateDir: StateDir, file: string | undefined): RedactionKey => {
  try {
    return loadRedactionKey(stateDir.path, file)
  } catch (error) {
    stateDir[Symbol.dispose]()
    throw error
  }
}

/** What the node gets its tokens with when it was given none. Throws `request.invalid` where there is neither. */
const nodeKeyOf = (stateDir: StateDir, { token, enrollment }: DaemonConfig): NodeKey | undefined => {
  if (token !== undefined) return undefined
  try {
    if (enrollment) return { ...loadOrCreateNodeKey(stateDir.path), enrollment }
    const key = loadNodeKey(stateDir.path)
    if (key) return key
    throw new SondeError('request.invalid', {
      message:
        'SONDE_ENROLL (--enroll) or SONDE_TOKEN (--token) is missing: make one with `sonde nodes enroll` or `sonde token create --kind node`',
    })
  } catch (error) {
    stateDir[Symbol.dispose]()
    throw error
  }
}

/** The spool of a state directory, which is let go of where the spool cannot be had. */
const openSpool = async (stateDir: StateDir, options: Omit<DiskSpoolOptions, 'dir'>): Promise<DiskSpool> => {
  try {
    return await DiskSpool.open({ dir: join(stateDir.path, 'spool'), ...options })
  } catch (error) {
    stateDir[Symbol.dispose]()
    throw error
  }
}

/** Waits for the work, and no longer than `ms`. */
const within = async (clock: Clock, ms: number, work: Promise<void>): Promise<void> => {
  const { promise: overdue, resolve } = Promise.withResolvers<void>()
  const timer = clock.setTimeout(resolve, ms)
  await Promise.race([work, overdue])
  clock.clearTimeout(timer)
}
