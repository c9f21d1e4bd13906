import { randomUUID } from 'node:crypto'
import { callErrorOf, createClient } from '@sonde/client'
import { SondeError, systemClock, type TimerHandle } from '@sonde/contracts'
import { aboutMs, fullJitterMs } from './backoff.ts'
import { failureOf, isAboutSlot, pause, SILENT } from './call.ts'
import { createCommandLane } from './command-lane.ts'
import { createEmitter } from './emitter.ts'
import type { RuntimeNode, RuntimeNodeEvents, RuntimeNodeOptions } from './node-api.ts'
import { createNodeCalls } from './node-calls.ts'
import type { SupervisorAction, SupervisorEvent } from './supervisor-types.ts'
import { INITIAL_STATE, transition } from './supervisor.ts'
import { createTargetDeclaration } from './target-declaration.ts'

/** Everything a stop does must fit into this, in milliseconds: process managers kill after a few seconds. */
const STOP_BUDGET_MS = 2_000
/** A node that is active elsewhere comes free by a person's hand, so this, give or take a tenth, is often enough. */
const CONFLICT_RETRY_MS = 30_000
/** The longest wait before a manifest is sent again, in milliseconds. */
const MANIFEST_CAP_MS = 5_000

/**
 * Lives with a control plane: attaches, beats, declares, takes commands, and comes back by itself whatever breaks. The
 * rules are those of {@link transition}; this is the I/O around them. It connects at once and attaches at `start`.
 *
 * @example
 * const node = createRuntimeNode({ url, token, nodeId, clientVersion: '1.0', capabilities: { monitor: {} }, onCommand })
 * node.on('online', ({ epoch }) => log.info({ epoch }, 'online'))
 * node.start()
 */
export const createRuntimeNode = (options: RuntimeNodeOptions): RuntimeNode => {
  const { url, token, sessionId, nodeId, clientVersion, capabilities, onCommand } = options
  const { clock = systemClock, random = Math.random, log = SILENT } = options
  const events = createEmitter<RuntimeNodeEvents>((error) => log.warn({ err: error }, 'a listener of the node failed'))
  /** Aborts when no call will be made any more; its reason is a `SondeError`. */
  const ended = new AbortController()
  /** Calls that a stop waits for: attach and detach. */
  const underway = new Set<Promise<void>>()
  const timers: { beat: TimerHandle | undefined; retry: TimerHandle | undefined } = {
    beat: undefined,
    retry: undefined,
  }
  const waiting: SupervisorEvent[] = []
  let state = INITIAL_STATE
  let isDispatching = false
  let wasOpen = false
  let epoch: number | undefined
  let stopReason: string | undefined
  let stopping: Promise<void> | undefined

  /** One event after the other, also when a listener or an action causes the next. */
  const dispatch = (event: SupervisorEvent): void => {
    waiting.push(event)
    if (isDispatching) return
    isDispatching = true
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const step = transition(state, next)
      state = step.state
      step.actions.forEach(perform)
    }
    isDispatching = false
  }

  const client = createClient({
    url,
    token,
    retryDelayMs: (attempt) => fullJitterMs({ attempt, random, baseMs: 100, capMs: 10_000 }),
    onOpen: () => {
      if (wasOpen && !ended.signal.aborted) events.emit('reconnected', {})
      wasOpen = true
      dispatch({ kind: 'laneOpened' })
      commands.flush()
    },
    onClose: () => {
      if (!ended.signal.aborted) events.emit('disconnected', {})
    },
  })
  /** A refusal outside of a beat: the beat tells what it means for the slot. */
  const doubt = (): void => dispatch({ kind: 'beatDue' })
  const shared = { rpc: client.rpc, nodeId, clock, random, log }
  const identity = { nodeId, clientVersion, capabilities, instanceId: randomUUID(), sessionId }
  const calls = createNodeCalls(client.rpc, clock, identity)
  const commands = createCommandLane({ ...shared, onCommand, onDoubt: doubt })
  const targets = createTargetDeclaration({
    ...shared,
    onDeclared: (declared) => events.emit('targetsDeclared', declared),
  })

  const track = (call: Promise<void>): void => {
    underway.add(call)
    void call.finally(() => underway.delete(call))
  }

  const attach = async (): Promise<void> => {
    try {
      dispatch({ kind: 'attached', ...(await calls.attach()) })
    } catch (thrown) {
      const { code, message } = noted(thrown, 'an attach failed')
      const failure = failureOf(callErrorOf(thrown))
      if (failure === 'transport' || failure === 'conflict') dispatch({ kind: 'attachFailed', failure })
      else dispatch({ kind: 'attachFailed', failure: 'refused', refusal: { code, message } })
    }
  }

  const declare = async (step: 'declared' | 'onlineReported', call: Promise<void>, of: number): Promise<void> => {
    try {
      await call
      dispatch({ kind: step, epoch: of })
    } catch (thrown) {
      const failure = failureOf(noted(thrown, 'a declaration failed'))
      dispatch({ kind: 'declareFailed', failure: failure === 'conflict' ? 'transport' : failure, epoch: of })
    }
  }

  const beat = async ({ epoch: of, timeoutMs }: { epoch: number; timeoutMs: number }): Promise<void> => {
    try {
      const verdict = await calls.beat(of, timeoutMs)
      dispatch({ kind: 'beat', ...verdict, epoch: of })
      events.emit('credit', { creditBytes: verdict.creditBytes })
    } catch (thrown) {
      const failure = failureOf(noted(thrown, 'a beat failed'))
      const isJudged = failure === 'fenced' || failure === 'refused'
      dispatch({ kind: 'beatFailed', failure: isJudged ? failure : 'transport', epoch: of })
    }
  }

  const detach = async (of: number): Promise<void> => {
    try {
      await calls.detach({ epoch: of, reason: stopReason, timeoutMs: STOP_BUDGET_MS })
    } catch (thrown) {
      noted(thrown, 'the detach failed; the control plane will notice the silence')
    }
  }

  const openCommands = async (of: number): Promise<void> => {
    // Commands name targets by ids that the daemon learns from this answer.
    await targets.open(of)
    if (state.name === 'running' && state.attachment.epoch === of) commands.open(of)
  }

  const noted = (thrown: unknown, what: string): SondeError => {
    const error = callErrorOf(thrown)
    log.warn({ code: error.code, epoch }, what)
    return error
  }

  /** Nothing more is said to the control plane. */
  const end = async (reason: SondeError): Promise<void> => {
    ended.abort(reason)
    targets.close()
    commands.close()
    await client[Symbol.asyncDispose]()
  }

  const later = (timer: keyof typeof timers, ms: number, event: SupervisorEvent): void => {
    clock.clearTimeout(timers[timer])
    timers[timer] = clock.setTimeout(() => dispatch(event), ms)
  }

  const perform = (action: SupervisorAction): void => {
    switch (action.kind) {
      case 'attach':
        return track(attach())
      case 'declare':
        return void declare('declared', calls.declare(action.epoch), action.epoch)
      case 'reportOnline':
        return void declare('onlineReported', calls.reportOnline(action.epoch), action.epoch)
      case 'beat':
        return void beat(action)
      case 'scheduleBeat':
        return later('beat', aboutMs(action.heartbeatMs, random), { kind: 'beatDue' })
      case 'scheduleRetry': {
        const { pace, attempt } = action
        const ms = pace === 'slow' ? aboutMs(CONFLICT_RETRY_MS, random) : fullJitterMs({ attempt, random })
        return later('retry', ms, { kind: 'retryDue' })
      }
      case 'cancelRetry':
        return clock.clearTimeout(timers.retry)
      case 'cancelTimers':
        clock.clearTimeout(timers.beat)
        return clock.clearTimeout(timers.retry)
      case 'openCommands':
        return void openCommands(action.epoch)
      case 'closeCommands':
        targets.close()
        return commands.close()
      case 'detach':
        return track(detach(action.epoch))
      case 'tellAttached': {
        const { previousEpoch, readOnly } = action
        epoch = action.epoch
        return events.emit('attached', { epoch, previousEpoch, readOnly })
      }
      case 'tellOnline':
        return events.emit('online', { epoch: action.epoch })
      case 'tellReadOnly':
        return events.emit('readOnlyChanged', { readOnly: action.readOnly })
      case 'tellFenced':
        void end(new SondeError('runtimenode.fenced'))
        return events.emit('fenced', { epoch: action.epoch })
      case 'tellRevoked':
        void end(new SondeError(action.refusal.code, { message: action.refusal.message }))
        return events.emit('revoked', action.refusal)
    }
  }

  /** The epoch to call in. Throws while there is none, or for good once the node has ended. */
  const attachedEpoch = (): number => {
    ended.signal.throwIfAborted()
    if (state.name === 'declaring' || state.name === 'running') return state.attachment.epoch
    throw new SondeError('control_plane.unreachable', { message: 'The node is not attached at the moment. Try again.' })
  }
  /** Runs a call in the current epoch. */
  const attached = async <T>(call: (epoch: number) => Promise<T>): Promise<T> => {
    try {
      return await call(attachedEpoch())
    } catch (thrown) {
      const error = callErrorOf(thrown)
      if (isAboutSlot(error)) doubt()
      throw error
    }
  }

  const stop = async (): Promise<void> => {
    dispatch({ kind: 'stop' })
    const inTime = new AbortController()
    const overdue = pause(clock, STOP_BUDGET_MS, inTime.signal)
    const settled = async (): Promise<void> => {
      while (underway.size > 0) await Promise.allSettled(underway)
    }
    await Promise.race([settled(), overdue])
    const closed = end(new SondeError('control_plane.unreachable', { message: 'The node was stopped.' }))
    await Promise.race([closed, overdue])
    inTime.abort()
    events.emit('stopped', {})
  }

  return {
    get epoch() {
      return epoch
    },
    get state() {
      return state.name
    },
    on: events.on,
    start: () => dispatch({ kind: 'start' }),
    stop: ({ reason } = {}) => {
      stopReason ??= reason
      stopping ??= stop()
      return stopping
    },
    declareTargets: targets.set,
    report: (segments) => attached((of) => calls.report(of, segments)),
    manifest: async (segment) => {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await attached((of) => calls.manifest(of, segment))
        } catch (thrown) {
          ended.signal.throwIfAborted()
          const error = callErrorOf(thrown)
          if (failureOf(error) !== 'transport' && !isAboutSlot(error)) throw error
          await pause(clock, fullJitterMs({ attempt, random, capMs: MANIFEST_CAP_MS }), ended.signal)
        }
      }
    },
  }
}
