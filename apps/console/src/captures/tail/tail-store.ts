import type { Capture, Segment, TailEvent, TailRow } from '@sonde/contracts'
import { callErrorOf, type CallError } from '../../call-error.ts'
import { createStore, type Store } from '../../ui/store.ts'
import { isTailOver, nextTailStatus, type TailSignal, type TailStatus } from './tail-status.ts'

/** Rows that a page keeps; older ones go, and are counted. */
export const TAIL_ROWS = 5000

/** What a page shows of a tail. */
export interface TailView {
  status: TailStatus
  /** The newest lines, oldest first. */
  rows: readonly TailRow[]
  /** Lines that came, kept or not. */
  received: number
  /** Of these, how many are kept no more. */
  trimmed: number
  error: CallError | undefined
}

export interface TailHandlers {
  onStarted(): void
  /** `cursor` stands after the event. */
  onEvent(cursor: string, event: TailEvent): void
  onConnecting(): void
  onError(error: unknown): void
}

export interface TailOptions {
  /** Subscribes from a cursor, or from where the server begins. */
  open: (cursor: string | undefined, handlers: TailHandlers) => { unsubscribe(): void }
  /** Runs `flush` with the next animation frame. */
  onFrame: (flush: () => void) => void
  onSegment?: (segment: Segment) => void
  /** The final row, which ends the tail. */
  onEnd?: (capture: Capture) => void
}

export interface Tail {
  readonly view: Store<TailView>
  readonly pause: () => void
  readonly resume: () => void
  readonly close: () => void
}

const EMPTY: TailView = { status: 'connecting', rows: [], received: 0, trimmed: 0, error: undefined }

/**
 * Follows a tail and keeps its last {@link TAIL_ROWS} lines. What comes between two frames is shown at once, and what waits for a
 * frame is bounded too, so a page in the background grows no more than one that is looked at. Pausing unsubscribes and keeps
 * the cursor: the server holds nothing, and nothing is lost.
 */
export const openTail = ({ open, onFrame, onSegment, onEnd }: TailOptions): Tail => {
  const view = createStore(EMPTY)
  let status: TailStatus = 'connecting'
  let error: CallError | undefined
  let waiting: TailRow[] = []
  let arrived = 0
  let cursor: string | undefined
  let isFrameAsked = false
  let running: { unsubscribe(): void } | undefined
  let turn = 0

  const flush = () => {
    isFrameAsked = false
    const { rows, received } = view.get()
    const kept = waiting.length === 0 ? rows : [...rows, ...waiting].slice(-TAIL_ROWS)
    const total = received + arrived
    waiting = []
    arrived = 0
    view.set({ status, rows: kept, received: total, trimmed: total - kept.length, error })
  }
  const ask = () => {
    if (isFrameAsked) return
    isFrameAsked = true
    onFrame(flush)
  }
  const take = (signal: TailSignal) => {
    status = nextTailStatus(status, signal)
    ask()
  }
  const stop = () => {
    // What an old subscription still says is not heard: its turn is over before it is told to end.
    turn += 1
    running?.unsubscribe()
    running = undefined
  }
  const receive = (event: TailEvent) => {
    switch (event.kind) {
      case 'lines':
        waiting.push(...event.rows)
        arrived += event.rows.length
        if (waiting.length > 2 * TAIL_ROWS) waiting = waiting.slice(-TAIL_ROWS)
        return ask()
      case 'segment':
        return onSegment?.(event.segment)
      case 'capture_ended':
      case 'history_complete':
        take(event.kind)
        return onEnd?.(event.capture)
    }
  }
  const start = () => {
    turn += 1
    const mine = turn
    const heard = (then: () => void) => {
      if (mine === turn) then()
    }
    running = open(cursor, {
      onStarted: () => heard(() => take('started')),
      onConnecting: () => heard(() => take('connecting')),
      onEvent: (next, event) =>
        heard(() => {
          cursor = next
          receive(event)
        }),
      onError: (thrown) =>
        heard(() => {
          if (!isTailOver(status)) error = callErrorOf(thrown)
          take('failed')
        }),
    })
  }
  start()
  return {
    view,
    pause: () => {
      if (isTailOver(status) || status === 'paused') return
      stop()
      take('pause')
    },
    resume: () => {
      if (status !== 'paused') return
      take('resume')
      start()
    },
    close: () => {
      stop()
      take('close')
    },
  }
}
