/**
 * Where a tail stands.
 *
 * | status | means | ends by |
 * |---|---|---|
 * | connecting | asked for, nothing heard yet, or the connection is being made again | started |
 * | streaming | lines come as they are stored | pause, an end, a failure |
 * | paused | unsubscribed; the cursor is kept, the server holds nothing | resume |
 * | history_complete, capture_ended, error, closed | final | |
 */
export type TailStatus =
  | 'connecting'
  | 'streaming'
  | 'paused'
  | 'history_complete'
  | 'capture_ended'
  | 'error'
  | 'closed'

export type TailSignal =
  | 'connecting'
  | 'started'
  | 'pause'
  | 'resume'
  | 'history_complete'
  | 'capture_ended'
  | 'failed'
  | 'close'

/** The status after a signal. A final status stays, whatever an old connection still says. */
export const nextTailStatus = (status: TailStatus, signal: TailSignal): TailStatus => {
  switch (status) {
    case 'history_complete':
    case 'capture_ended':
    case 'error':
    case 'closed':
      return status
    case 'paused':
      return signal === 'resume' ? 'connecting' : signal === 'close' ? 'closed' : 'paused'
    case 'connecting':
    case 'streaming':
      return ON_AIR[signal] ?? status
  }
}

const ON_AIR: Record<TailSignal, TailStatus | undefined> = {
  connecting: 'connecting',
  started: 'streaming',
  pause: 'paused',
  resume: undefined,
  history_complete: 'history_complete',
  capture_ended: 'capture_ended',
  failed: 'error',
  close: 'closed',
}

/** Whether nothing more will come. */
export const isTailOver = (status: TailStatus): boolean =>
  status === 'history_complete' || status === 'capture_ended' || status === 'error' || status === 'closed'
