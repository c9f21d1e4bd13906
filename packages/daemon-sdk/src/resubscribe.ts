import { callErrorOf } from '@sonde/client'
import type { Clock, SondeError } from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { pause } from './call.ts'

/** The callbacks of one subscription; tRPC's fit. */
export interface SubscriptionEvents {
  onData: (data: unknown) => void
  onError: (error: unknown) => void
  onComplete: () => void
}

export interface ResubscribeOptions {
  clock: Clock
  random: () => number
  /** Ends everything. */
  signal: AbortSignal
  subscribe: (events: SubscriptionEvents) => { unsubscribe(): void }
  onData: (data: unknown) => void
  onError: (error: SondeError) => void
}

/** The longest wait before a subscription that the server ended is made again, in milliseconds. */
const CAP_MS = 5_000

/**
 * Keeps a subscription up: one that fails or ends is made again, with back-off until data has come. (That a lost connection resumes
 * it is the client's work.) The returned function makes it again at once.
 */
export const keepSubscribed = (options: ResubscribeOptions): (() => void) => {
  const { clock, random, signal, subscribe, onData, onError } = options
  let attempt = 0
  let active: { unsubscribe(): void } | undefined

  const end = (): void => {
    const ending = active
    active = undefined
    ending?.unsubscribe()
  }
  const connect = (): void => {
    if (signal.aborted) return
    let isCurrent = true
    const again = (): void => {
      if (!isCurrent) return
      end()
      const waitMs = fullJitterMs({ attempt, random, capMs: CAP_MS })
      attempt += 1
      void pause(clock, waitMs, signal).then(() => {
        // Someone else may have connected meanwhile.
        if (!active) connect()
      })
    }
    const subscription = subscribe({
      onData: (data) => {
        if (!isCurrent) return
        attempt = 0
        onData(data)
      },
      onError: (error) => {
        if (isCurrent) onError(callErrorOf(error))
        again()
      },
      onComplete: again,
    })
    active = {
      unsubscribe: () => {
        isCurrent = false
        subscription.unsubscribe()
      },
    }
  }
  signal.addEventListener('abort', end, { once: true })
  connect()
  return () => {
    end()
    connect()
  }
}
