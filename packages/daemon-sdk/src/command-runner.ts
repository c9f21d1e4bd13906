import { SondeError, type Clock, type CommandResult, type DeliveredCommand } from '@sonde/contracts'
import { pause, type SdkLog } from './call.ts'
import { CommandOrder } from './command-order.ts'
import { segmentKey } from './segment-key.ts'

export interface CommandRunnerOptions {
  clock: Clock
  log: SdkLog
  /** Does what the command says; its result is the answer. A throw is answered as `refused` with the error's code. */
  onCommand: (command: DeliveredCommand) => Promise<CommandResult>
  answer: (commandId: string, result: CommandResult) => void
  /** A gap does not close: what is unanswered must be delivered again. */
  askAgain: () => void
  /** Ends the waiting for gaps. */
  signal: AbortSignal
}

/** Runs what is delivered, each command once, whatever is delivered again, also by a lane that took over from another. */
export interface CommandRunner {
  deliver(command: DeliveredCommand): void
}

/** A gap that does not close by itself within this time is asked about, in milliseconds. */
const GAP_MS = 1_000

export const createCommandRunner = (options: CommandRunnerOptions): CommandRunner => {
  const { clock, log, onCommand, answer, askAgain, signal } = options
  const order = new CommandOrder()
  const chains = new Map<string, Promise<void>>()
  let isGapTimed = false

  const execute = async (command: DeliveredCommand): Promise<void> => {
    let result: CommandResult
    try {
      result = await onCommand(command)
    } catch (thrown) {
      const error = thrown instanceof SondeError ? thrown : new SondeError('internal.unexpected', { cause: thrown })
      log.warn({ commandId: command.commandId, kind: command.body.kind, code: error.code }, 'a command failed')
      result = { kind: 'refused', code: error.code, detail: error.message.slice(0, 1024) }
    }
    order.answered(command.commandId, result)
    answer(command.commandId, result)
  }

  /** Behind the other commands of its segment, beside those of any other. */
  const enqueue = (command: DeliveredCommand): void => {
    const key = segmentKey(command.body)
    const chain = (chains.get(key) ?? Promise.resolve()).then(() => execute(command))
    chains.set(key, chain)
    void chain.then(() => {
      if (chains.get(key) === chain) chains.delete(key)
    })
  }

  const timeGap = async (): Promise<void> => {
    if (isGapTimed) return
    isGapTimed = true
    await pause(clock, GAP_MS, signal)
    isGapTimed = false
    if (order.hasHeld && !signal.aborted) askAgain()
  }

  return {
    deliver: (command) => {
      const delivery = order.deliver(command)
      switch (delivery.kind) {
        case 'run':
          return delivery.commands.forEach(enqueue)
        case 'answered':
          return answer(command.commandId, delivery.result)
        case 'known':
          return
        case 'held':
          return void timeGap()
      }
    },
  }
}
