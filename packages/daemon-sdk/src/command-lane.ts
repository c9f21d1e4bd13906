import { callErrorOf, type SondeClient } from '@sonde/client'
import {
  deliveredCommandSchema,
  type Clock,
  type CommandResult,
  type DeliveredCommand,
  type SondeError,
} from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { CALL_TIMEOUT_MS, callWithin, failureOf, isAboutSlot, pause, type SdkLog } from './call.ts'
import { keepSubscribed } from './resubscribe.ts'

export interface CommandLaneOptions {
  rpc: SondeClient['rpc']
  nodeId: string
  clock: Clock
  random: () => number
  log: SdkLog
  /** Each delivery, of the same command too; the answer comes by `answer`. */
  onCommand: (command: DeliveredCommand) => void
  /** The control plane refused a call; the next beat must tell what that means. */
  onDoubt: () => void
}

/** Commands down, answers up. */
export interface CommandLane {
  /** Subscribes in this epoch, and sends in it what could not be answered before. */
  open(epoch: number): void
  /** Ends the subscription. Answers wait for the next `open`. */
  close(): void
  /** Sends the answer to a command until it is taken, or refused for good. */
  answer(commandId: string, result: CommandResult): void
  /** Subscribes again, so that all that is unanswered is delivered once more. */
  askAgain(): void
  /** Sends unsent answers, for example because the connection is back. */
  flush(): void
}

/** The longest wait before an answer is sent again, in milliseconds. */
const ANSWER_CAP_MS = 5_000

export const createCommandLane = (options: CommandLaneOptions): CommandLane => {
  const { rpc, nodeId, clock, random, log, onCommand, onDoubt } = options
  const unsent = new Map<string, CommandResult>()
  const sending = new Set<string>()
  let lane: { epoch: number; closing: AbortController } | undefined
  let askAgain: () => void = () => undefined

  /** Sends one answer until it is taken, refused for good, or the lane is closed. */
  const send = async (commandId: string): Promise<void> => {
    const mine = lane
    const result = unsent.get(commandId)
    if (!mine || !result || sending.has(commandId)) return
    const { epoch, closing } = mine
    sending.add(commandId)
    for (let attempt = 0; !closing.signal.aborted && unsent.has(commandId); attempt += 1) {
      const error = await sendOnce({ nodeId, epoch, commandId, result })
      if (!error) {
        unsent.delete(commandId)
      } else if (failureOf(error) === 'transport') {
        await pause(clock, fullJitterMs({ attempt, random, capMs: ANSWER_CAP_MS }), closing.signal)
      } else if (isAboutSlot(error)) {
        onDoubt()
        break
      } else {
        log.warn({ commandId, code: error.code }, 'the answer to a command was refused, and is dropped')
        unsent.delete(commandId)
      }
    }
    sending.delete(commandId)
    // Opened again meanwhile: the answer goes there.
    if (lane && lane !== mine) void send(commandId)
  }

  const sendOnce = async (answer: {
    nodeId: string
    epoch: number
    commandId: string
    result: CommandResult
  }): Promise<SondeError | undefined> => {
    try {
      await callWithin(clock, CALL_TIMEOUT_MS, (signal) => rpc.runtimeNode.answer.mutate(answer, { signal }))
      return undefined
    } catch (error) {
      return callErrorOf(error)
    }
  }

  const answer = (commandId: string, result: CommandResult): void => {
    unsent.set(commandId, result)
    void send(commandId)
  }

  const deliver = (data: unknown): void => {
    const parsed = deliveredCommandSchema.safeParse(data)
    if (parsed.success) onCommand(parsed.data)
    else refuseUnknown(data)
  }

  /** A kind of command that only a newer version knows must not be delivered for ever. */
  const refuseUnknown = (data: unknown): void => {
    const commandId = data !== null && typeof data === 'object' && 'commandId' in data ? data.commandId : undefined
    log.warn({ commandId }, 'a command of an unknown form was refused')
    if (typeof commandId !== 'string') return
    answer(commandId, { kind: 'refused', code: 'request.invalid', detail: 'This daemon does not know the command.' })
  }

  const subscribe = (epoch: number, signal: AbortSignal): void => {
    askAgain = keepSubscribed({
      clock,
      random,
      signal,
      subscribe: (events) => rpc.runtimeNode.commands.subscribe({ nodeId, epoch }, events),
      onData: deliver,
      onError: (error) => {
        log.warn({ code: error.code, epoch }, 'the subscription to commands ended; it is made again')
        if (isAboutSlot(error)) onDoubt()
      },
    })
  }

  const flush = (): void => {
    for (const commandId of unsent.keys()) void send(commandId)
  }
  const close = (): void => {
    lane?.closing.abort()
    lane = undefined
  }
  return {
    open: (epoch) => {
      close()
      lane = { epoch, closing: new AbortController() }
      subscribe(epoch, lane.closing.signal)
      flush()
    },
    close,
    answer,
    askAgain: () => askAgain(),
    flush,
  }
}
