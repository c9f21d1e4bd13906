import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { SondeError, systemClock, type TimerHandle } from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { pause, SILENT } from './call.ts'
import { createCommandRunner } from './command-runner.ts'
import { STOP_BUDGET_MS } from './control-lane.ts'
import { createEmitter } from './emitter.ts'
import type { FromLane, KnownSlot, LaneEvent } from './lane-messages.ts'
import { openInlineLane, openWorkerLane, type LanePort } from './lane-port.ts'
import type { NodeHealth, RuntimeNode, RuntimeNodeEvents, RuntimeNodeOptions } from './node-api.ts'
import { createPendingCalls } from './pending-calls.ts'
import type { StateName } from './supervisor-types.ts'

/** A lane keeps its own budget; one that does not even answer is given this much more, in milliseconds. */
const STOP_SLACK_MS = 500
/** Characters of a reason that the control plane takes. */
const MOST_WORDS = 512

/**
 * Lives with a control plane: attaches, beats, declares, takes commands, and comes back by itself whatever breaks. All of that
 * is the lane's, in a thread of its own by default; here commands run and events are told.
 *
 * @example
 * const node = createRuntimeNode({ url, token, nodeId, clientVersion: '1.0', capabilities: { monitor: {} }, onCommand })
 * node.on('online', ({ epoch }) => log.info({ epoch }, 'online'))
 * node.start()
 */
export const createRuntimeNode = (options: RuntimeNodeOptions): RuntimeNode => {
  const { url, key, sessionId, nodeId, clientVersion, capabilities, onCommand } = options
  const { lane = 'worker', clock = systemClock, random = Math.random, log = SILENT } = options
  if (options.token === undefined && key === undefined) {
    throw new SondeError('auth.token_missing', { message: 'A node needs a token, or a key that it gets one with.' })
  }
  // The same in every lane of this process, so that one that takes over is no new incarnation.
  const identity = { nodeId, clientVersion, capabilities, instanceId: randomUUID(), sessionId, host: hostname() }
  const events = createEmitter<RuntimeNodeEvents>((error) => log.warn({ err: error }, 'a listener of the node failed'))
  const calls = createPendingCalls((message) => port?.post(message))
  /** Aborts when the node is fenced, revoked or stopped; its reason is what calls are refused with from then on. */
  const final = new AbortController()
  const ended = Promise.withResolvers<void>()
  const commands = createCommandRunner({
    clock,
    log,
    onCommand,
    answer: (commandId, result) => port?.post({ kind: 'answer', commandId, result }),
    askAgain: () => port?.post({ kind: 'redeliver' }),
    signal: final.signal,
  })
  let { token } = options
  let port: LanePort | undefined
  let restart: TimerHandle | undefined
  let failures = 0
  let state: StateName = 'idle'
  let epoch: number | undefined
  let known: KnownSlot = { kind: 'none', previousEpoch: undefined }
  let health: NodeHealth = { state: 'online' }
  let stopping: Promise<void> | undefined

  const open = (): void => {
    const settings = { url, token, key, identity, health, known }
    const listener = { onMessage, onFailed }
    port =
      lane === 'worker' ? openWorkerLane(settings, listener) : openInlineLane(settings, listener, { clock, random })
    calls.sendAll()
  }

  const onFailed = ({ message }: Error): void => {
    port = undefined
    calls.laneFailed()
    if (final.signal.aborted || stopping) return ended.resolve()
    const restartInMs = Math.round(fullJitterMs({ attempt: failures, random }))
    failures += 1
    log.warn({ error: message, restartInMs }, "the lane's thread died; another one takes over")
    restart = clock.setTimeout(open, restartInMs)
    events.emit('laneFailed', { message, restartInMs })
  }

  const onMessage = (message: FromLane): void => {
    switch (message.kind) {
      case 'state': {
        const { name, slot } = message
        state = name
        epoch = slot?.epoch ?? epoch
        known = slot ? { kind: 'held', verdict: slot } : { kind: 'none', previousEpoch: epoch }
        return
      }
      case 'event':
        return onEvent(message)
      case 'command':
        return commands.deliver(message.command)
      case 'outcome':
        return calls.settle(message.id, message.outcome)
      case 'log':
        return log[message.level](message.fields, message.message)
      case 'ping':
        return port?.post({ kind: 'pong' })
      case 'ended':
        calls.close(reason())
        return ended.resolve()
    }
  }

  const onEvent = ({ name, event }: LaneEvent): void => {
    if (name === 'online') failures = 0
    if (name === 'credential') token = event.token
    if (name === 'fenced') final.abort(new SondeError('runtimenode.fenced'))
    if (name === 'revoked') final.abort(new SondeError(event.code, { message: event.message }))
    if (name === 'mainLoopStalled') {
      log.warn({ code: 'main_loop_stalled', ...event }, 'this thread was busy; beats went on, commands waited')
    }
    events.emit(name, event)
  }

  const reason = (): SondeError =>
    final.signal.reason instanceof SondeError
      ? final.signal.reason
      : new SondeError('control_plane.unreachable', { message: 'The node was stopped.' })

  const stop = async (why: string | undefined): Promise<void> => {
    clock.clearTimeout(restart)
    if (port) {
      port.post({ kind: 'stop', reason: why })
      const inTime = new AbortController()
      await Promise.race([ended.promise, pause(clock, STOP_BUDGET_MS + STOP_SLACK_MS, inTime.signal)])
      inTime.abort()
      await port?.close()
    }
    final.abort(reason())
    calls.close(reason())
    state = 'stopped'
    events.emit('stopped', {})
  }

  return {
    get epoch() {
      return epoch
    },
    get state() {
      return state
    },
    on: (name, listener) => events.on(name, listener),
    start: () => {
      if (!port && !restart && !stopping) open()
    },
    stop: ({ reason: why } = {}) => (stopping ??= stop(why)),
    setHealth: (next, why) => {
      const words = why === undefined ? '' : storableWords(why)
      health = { state: next, ...(words !== '' && { reason: words }) }
      port?.post({ kind: 'health', health })
    },
    declareTargets: (list) => calls.declareTargets(list),
    report: (segments) => calls.report(segments),
    committed: (segments) => calls.committed(segments),
    manifest: (segment) => calls.manifest(segment),
  }
}

/** A reason is often another program's message: what could not be stored of it is cut, rather than the report refused. */
const storableWords = (text: string): string => text.replaceAll('\0', '').trim().slice(0, MOST_WORDS).toWellFormed()
