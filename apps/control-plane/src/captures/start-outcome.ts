import { SondeError, type Capture, type CaptureStartResult } from '@sonde/contracts'

/** Why no capture came of a start, in the words of the first server that refused. */
export const startFailure = (capture: Capture): SondeError => {
  const segments = capture.segments.map(
    ({ targetId, targetHost, targetPort, terminationReason, terminationDetail }) => ({
      targetId,
      target: `${targetHost}:${targetPort}`,
      reason: terminationReason,
      detail: terminationDetail,
    }),
  )
  const refused = segments.find((segment) => segment.reason === 'monitor_open_failed')
  const details = { captureId: capture.id, segments }
  const quorum = segments.some((segment) => segment.reason === 'quorum_not_met')
  if (!quorum && refused) {
    return new SondeError('capture.monitor_open_failed', {
      message: `No target could be opened for capture. ${refused.target}: ${refused.detail ?? 'refused'}`,
      details,
    })
  }
  const words = refused ? ` ${refused.target}: ${refused.detail ?? 'refused'}` : ''
  return new SondeError('fanout.quorum_not_met', {
    message: `Fewer targets could be opened than the start required. Nothing was kept.${words}`,
    details,
  })
}

/** How much of the plan takes part, and why the rest does not. */
export const coverageOf = (capture: Capture): CaptureStartResult['coverage'] => {
  const missing = capture.segments.filter(
    ({ status }) => status === 'skipped' || status === 'failed' || status === 'lost',
  )
  return {
    requested: capture.segments.length,
    accepted: capture.segments.length - missing.length,
    missing: missing.map(({ targetId, terminationReason, terminationDetail }) => ({
      targetId,
      reason: terminationReason ?? 'unknown',
      detail: terminationDetail,
    })),
  }
}
