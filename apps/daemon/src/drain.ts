import type { DrainMode } from '@sonde/contracts'
import type { Segments } from './segments.ts'

export interface DrainOptions {
  segments: Pick<Segments, 'count' | 'stopAll'>
  /** Nothing is left here: every segment has ended, is stored and proved. Called once. */
  onDone: () => void
  log: { info(fields: object, message: string): void }
}

/**
 * What to do when the control plane says that the node is to leave, which it says with every beat: `finish` waits for the
 * segments to end, `stop` ends them; then it is done.
 */
export const createDrain = ({ segments, onDone, log }: DrainOptions): ((mode: DrainMode) => void) => {
  let known: DrainMode | undefined
  let isDone = false
  const look = (): void => {
    if (isDone || segments.count > 0) return
    isDone = true
    log.info({}, 'the node is drained')
    onDone()
  }
  return (mode) => {
    if (mode !== known) {
      known = mode
      log.info({ mode, segments: segments.count }, 'the node is being drained')
      if (mode === 'stop') void segments.stopAll('the node was drained').then(look)
    }
    look()
  }
}
