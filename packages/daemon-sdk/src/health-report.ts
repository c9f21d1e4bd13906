import { callErrorOf } from '@sonde/client'
import type { Clock } from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { failureOf, isAboutSlot, pause, type SdkLog } from './call.ts'
import type { NodeHealth } from './node-api.ts'

export interface HealthReportOptions {
  initial: NodeHealth
  /** One call that tells the health, with its reason. */
  send: (epoch: number, health: NodeHealth) => Promise<void>
  clock: Clock
  random: () => number
  log: SdkLog
  /** The control plane refused a call; the next beat must tell what that means. */
  onDoubt: () => void
}

/** Keeps the slot's health equal to the last one set. (Beats carry it too, but not its reason.) */
export interface HealthReport {
  readonly current: NodeHealth
  set(health: NodeHealth): void
  /** Tells it once, as the end of a declaration. Throws `SondeError`. */
  report(epoch: number): Promise<void>
  /** From now on each change is told in this epoch. */
  open(epoch: number): void
  close(): void
}

/** The longest wait before a health is told again, in milliseconds. */
const CAP_MS = 5_000

export const createHealthReport = (options: HealthReportOptions): HealthReport => {
  const { initial, send, clock, random, log, onDoubt } = options
  let current = initial
  let told: NodeHealth | undefined
  let lane: { epoch: number; closing: AbortController } | undefined
  let work: Promise<void> = Promise.resolve()

  const report = async (epoch: number): Promise<void> => {
    const health = current
    await send(epoch, health)
    told = health
  }
  const settle = async ({ epoch, closing }: NonNullable<typeof lane>): Promise<void> => {
    for (let attempt = 0; told !== current && !closing.signal.aborted; attempt += 1) {
      const health = current
      try {
        await report(epoch)
      } catch (thrown) {
        const error = callErrorOf(thrown)
        if (failureOf(error) === 'transport') {
          await pause(clock, fullJitterMs({ attempt, random, capMs: CAP_MS }), closing.signal)
        } else if (isAboutSlot(error)) {
          return onDoubt()
        } else {
          log.warn({ code: error.code, epoch }, "the node's health was refused; beats go on carrying it")
          told = health
        }
      }
    }
  }
  /** One at a time, so that an older health never overtakes a newer one. */
  const kick = (): void => {
    const opened = lane
    if (opened) work = work.then(() => settle(opened))
  }
  const close = (): void => {
    lane?.closing.abort()
    lane = undefined
  }
  return {
    get current() {
      return current
    },
    set: (health) => {
      current = health
      kick()
    },
    report,
    open: (epoch) => {
      close()
      lane = { epoch, closing: new AbortController() }
      kick()
    },
    close,
  }
}
