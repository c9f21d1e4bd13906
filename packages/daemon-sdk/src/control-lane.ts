import { callErrorOf, createClient } from '@sonde/client'
import { SondeError, type Clock, type TimerHandle } from '@sonde/contracts'
import { aboutMs, fullJitterMs } from './backoff.ts'
import { createBeatTimer } from './beat-timer.ts'
import { failureOf, isAboutToken, pause, type Failure, type SdkLog } from './call.ts'
import { createCommandLane } from './command-lane.ts'
import { createHealthReport } from './health-report.ts'
import { createLaneCalls } from './lane-calls.ts'
import { createLaneCredential } from './lane-credential.ts'
import type { FromLane, LaneEvent, LaneSettings, ToLane } from './lane-messages.ts'
import { createNodeCalls } from './node-calls.ts'
import type { SupervisorAction, SupervisorEvent, SupervisorState } from './supervisor-types.ts'
import { INITIAL_STATE, transition } from './supervisor.ts'
import { createTargetDeclaration } from './target-declaration.ts'

/** Everything a stop does must fit into this, in milliseconds: process managers kill after a few seconds. */
export const STOP_BUDGET_MS = 2_000
/** A node that is active elsewhere comes free by a person's hand, so this, give or take a tenth, is often enough. */
const CONFLICT_RETRY_MS = 30_000

export interface ControlLaneOptions {
  settings: LaneSettings
  clock: Clock
  random: () => number
  tell: (message: FromLane) => void
}

/** One connection to the control plane, with all that must go on while the daemon's own thread is busy. */
export interface ControlLane {
  take(message: ToLane): void
}

/**
 * Connects and attaches, beats, declares, takes commands, and comes back by itself whatever breaks. The rules are those of
 * {@link transition}; this is the I/O around them. It knows nothing of threads: what it has to say goes to `tell`.
 */
export const createControlLane = ({ settings, clock, random, tell }: ControlLaneOptions): ControlLane => {
  const { url, token, key, identity, known } = settings
  const { nodeId } = identity
  const log: SdkLog = {
    info: (fields, message) => tell({ kind: 'log', level: 'info', fields, message }),
    warn: (fields, message) => tell({ kind: 'log', level: 'warn', fields, message }),
  }
  /** Aborts when no call will be made any more; its reason is a `SondeError`. */
  const ended = new AbortController()
  /** Calls that a stop waits for: attach and detach. */
  const underway = new Set<Promise<void>>()
  const waiting: SupervisorEvent[] = []
  let retryTimer: TimerHandle | undefined
  let state: SupervisorState = INITIAL_STATE
  let isDispatching = false
  let wasOpen = false
  let stopReason: string | undefined

  const emit = (event: LaneEvent): void => tell({ kind: 'event', ...event })

  /** One event after the other, also when an action causes the next. */
  const dispatch = (event: SupervisorEvent): void => {
    waiting.push(event)
    if (isDispatching) return
    isDispatching = true
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const step = transition(state, next)
      const before = state
      state = step.state
      tellState(before)
      step.actions.forEach(perform)
    }
    isDispatching = false
  }

  const tellState = (before: SupervisorState): void => {
    const slot = attachmentOf(state)
    if (state.name === before.name && slot?.epoch === attachmentOf(before)?.epoch) return
    const verdict = slot && { epoch: slot.epoch, readOnly: slot.readOnly, nextHeartbeatMs: slot.heartbeatMs }
    tell({ kind: 'state', name: state.name, slot: verdict })
  }

  const credential = createLaneCredential({
    url,
    nodeId,
    clock,
    token,
    key,
    onChanged: (event) => emit({ name: 'credential', event }),
  })
  const client = createClient({
    url,
    token: () => credential.token(),
    retryDelayMs: (attempt) => fullJitterMs({ attempt, random, baseMs: 100, capMs: 10_000 }),
    onOpen: () => {
      if (wasOpen && !ended.signal.aborted) emit({ name: 'reconnected', event: {} })
      wasOpen = true
      dispatch({ kind: 'laneOpened' })
      commands.flush()
    },
    onClose: () => {
      if (!ended.signal.aborted) emit({ name: 'disconnected', event: {} })
    },
  })
  const beatDue = (): void => dispatch({ kind: 'beatDue' })
  /** `onDoubt`: a refusal outside of a beat; the beat tells what it means for the slot. */
  const shared = { rpc: client.rpc, nodeId, clock, random, log, onDoubt: beatDue }
  const calls = createNodeCalls(client.rpc, clock, identity)
  const beats = createBeatTimer({ clock, random, onDue: beatDue })
  const commands = createCommandLane({ ...shared, onCommand: (command) => tell({ kind: 'command', command }) })
  const targets = createTargetDeclaration({
    ...shared,
    onDeclared: (event) => emit({ name: 'targetsDeclared', event }),
  })
  const health = createHealthReport({
    ...shared,
    initial: settings.health,
    send: (epoch, next) => calls.reportHealth(epoch, next),
  })

  const track = (call: Promise<void>): void => {
    underway.add(call)
    void call.finally(() => underway.delete(call))
  }

  /** A token that has ended is a matter of the key, where there is one, and else for good. */
  const judged = (error: SondeError): Failure | 'expired' => {
    if (isAboutToken(error)) return credential.canProve ? 'expired' : 'refused'
    return failureOf(error)
  }

  const prove = async (): Promise<void> => {
    try {
      await credential.prove()
      // The connection began with the one before.
      client.reconnect()
      dispatch({ kind: 'proved' })
    } catch (thrown) {
      const error = noted(thrown, 'no credential was given for the key of the node')
      const { code, message } = error
      if (failureOf(error) === 'transport') dispatch({ kind: 'proveFailed', failure: 'transport' })
      else dispatch({ kind: 'proveFailed', failure: 'refused', refusal: { code, message } })
    }
  }

  const attach = async (): Promise<void> => {
    try {
      dispatch({ kind: 'attached', ...(await calls.attach(health.current.state)) })
    } catch (thrown) {
      const error = noted(thrown, 'an attach failed')
      const { code, message } = error
      const failure = judged(error)
      if (failure === 'transport' || failure === 'conflict' || failure === 'expired')
        dispatch({ kind: 'attachFailed', failure })
      else dispatch({ kind: 'attachFailed', failure: 'refused', refusal: { code, message } })
    }
  }

  const declare = async (step: 'declared' | 'onlineReported', call: Promise<void>, of: number): Promise<void> => {
    try {
      await call
      dispatch({ kind: step, epoch: of })
    } catch (thrown) {
      const failure = judged(noted(thrown, 'a declaration failed'))
      dispatch({ kind: 'declareFailed', failure: failure === 'conflict' ? 'transport' : failure, epoch: of })
    }
  }

  const beat = async ({ epoch, timeoutMs }: { epoch: number; timeoutMs: number }): Promise<void> => {
    const healthState = health.current.state
    try {
      const verdict = await calls.beat({ epoch, healthState, timeoutMs })
      dispatch({ kind: 'beat', ...verdict, epoch })
      emit({ name: 'credit', event: { creditBytes: verdict.creditBytes } })
      if (verdict.drain) emit({ name: 'drain', event: { mode: verdict.drain } })
      if (verdict.credential) credential.accept(verdict.credential)
      else if (credential.isOverdue) dispatch({ kind: 'credentialDue' })
    } catch (thrown) {
      const failure = judged(noted(thrown, 'a beat failed'))
      const isJudged = failure === 'fenced' || failure === 'refused' || failure === 'expired'
      dispatch({ kind: 'beatFailed', failure: isJudged ? failure : 'transport', epoch })
    }
    // It changed while this beat was on its way, when no other could be sent.
    if (health.current.state !== healthState) beatDue()
  }

  const detach = async (epoch: number): Promise<void> => {
    try {
      await calls.detach({ epoch, reason: stopReason, timeoutMs: STOP_BUDGET_MS })
    } catch (thrown) {
      noted(thrown, 'the detach failed; the control plane will notice the silence')
    }
  }

  const openCommands = async (epoch: number): Promise<void> => {
    health.open(epoch)
    // Commands name targets by ids that the daemon learns from this answer.
    await targets.open(epoch)
    if (state.name === 'running' && state.attachment.epoch === epoch) commands.open(epoch)
  }
  const closeCommands = (): void => {
    health.close()
    targets.close()
    commands.close()
  }

  const noted = (thrown: unknown, what: string): SondeError => {
    const error = callErrorOf(thrown)
    log.warn({ code: error.code, epoch: attachmentOf(state)?.epoch }, what)
    return error
  }

  /** Nothing more is said to the control plane. */
  const end = async (reason: SondeError): Promise<void> => {
    ended.abort(reason)
    closeCommands()
    credential.close(reason)
    await client[Symbol.asyncDispose]()
  }
  const endForGood = async (reason: SondeError): Promise<void> => {
    await end(reason)
    tell({ kind: 'ended' })
  }

  const scheduleRetry = ({ pace, attempt }: { pace: 'backoff' | 'slow'; attempt: number }): void => {
    clock.clearTimeout(retryTimer)
    const ms = pace === 'slow' ? aboutMs(CONFLICT_RETRY_MS, random) : fullJitterMs({ attempt, random })
    retryTimer = clock.setTimeout(() => dispatch({ kind: 'retryDue' }), ms)
  }

  const perform = (action: SupervisorAction): void => {
    switch (action.kind) {
      case 'prove':
        return void prove()
      case 'attach':
        return track(attach())
      case 'declare':
        return void declare('declared', calls.declare(action.epoch), action.epoch)
      case 'reportOnline':
        return void declare('onlineReported', health.report(action.epoch), action.epoch)
      case 'beat':
        return void beat(action)
      case 'scheduleBeat':
        return beats.schedule(action.heartbeatMs)
      case 'scheduleRetry':
        return scheduleRetry(action)
      case 'cancelRetry':
        return clock.clearTimeout(retryTimer)
      case 'cancelTimers':
        beats.cancel()
        return clock.clearTimeout(retryTimer)
      case 'openCommands':
        return void openCommands(action.epoch)
      case 'closeCommands':
        return closeCommands()
      case 'detach':
        return track(detach(action.epoch))
      case 'tellAttached': {
        const { epoch, previousEpoch, readOnly } = action
        return emit({ name: 'attached', event: { epoch, previousEpoch, readOnly } })
      }
      case 'tellOnline':
        return emit({ name: 'online', event: { epoch: action.epoch } })
      case 'tellReadOnly':
        return emit({ name: 'readOnlyChanged', event: { readOnly: action.readOnly } })
      case 'tellFenced':
        void endForGood(new SondeError('runtimenode.fenced'))
        return emit({ name: 'fenced', event: { epoch: action.epoch } })
      case 'tellRevoked': {
        const { code, message } = action.refusal
        void endForGood(new SondeError(code, { message }))
        return emit({ name: 'revoked', event: { code, message } })
      }
    }
  }

  /** The epoch to call in. Throws while there is none, or for good once the node has ended. */
  const attachedEpoch = (): number => {
    ended.signal.throwIfAborted()
    if (state.name === 'declaring' || state.name === 'running') return state.attachment.epoch
    throw new SondeError('control_plane.unreachable', { message: 'The node is not attached at the moment. Try again.' })
  }
  const laneCalls = createLaneCalls({ ...shared, calls, targets, attachedEpoch, signal: ended.signal, tell })

  const stop = async (reason: string | undefined): Promise<void> => {
    stopReason = reason
    dispatch({ kind: 'stop' })
    // Fenced or revoked before: that says the last word.
    if (ended.signal.aborted) return
    const inTime = new AbortController()
    const overdue = pause(clock, STOP_BUDGET_MS, inTime.signal)
    const settled = async (): Promise<void> => {
      while (underway.size > 0) await Promise.allSettled(underway)
    }
    await Promise.race([settled(), overdue])
    const closed = end(new SondeError('control_plane.unreachable', { message: 'The node was stopped.' }))
    await Promise.race([closed, overdue])
    inTime.abort()
    tell({ kind: 'ended' })
  }

  if (known.kind === 'held') dispatch({ kind: 'resume', ...known.verdict })
  else
    dispatch({ kind: 'start', previousEpoch: known.previousEpoch, proves: credential.canProve && !credential.isKnown })
  return {
    take: (message) => {
      switch (message.kind) {
        case 'call':
          return void laneCalls.run(message.id, message.call)
        case 'answer':
          return commands.answer(message.commandId, message.result)
        case 'redeliver':
          return commands.askAgain()
        case 'health':
          health.set(message.health)
          return beatDue()
        case 'stop':
          return void stop(message.reason)
        case 'pong':
          return
      }
    },
  }
}

const attachmentOf = (state: SupervisorState) => ('attachment' in state ? state.attachment : undefined)
