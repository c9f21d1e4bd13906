import { mayDo, type Capture, type Role } from '@sonde/contracts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { inert } from '../ui/inert.ts'
import { Mark } from '../ui/mark.tsx'
import { Ago, useNow } from '../ui/time.tsx'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { CAPTURE_TONE, elapsedMs, POLICY_WORDS, reasonWords } from './capture-words.ts'
import type { LineChoice } from './line-choice.ts'
import { ExportMenu } from './export-menu.tsx'
import { useStopCapture } from './queries.ts'

interface CaptureHeaderProps {
  capture: Capture
  role: Role | undefined
  /** The lines that an export is of. */
  choice: LineChoice
}

/** How a capture stands, and what can be done with it. */
export const CaptureHeader = ({ capture, role, choice }: CaptureHeaderProps) => {
  const stop = useStopCapture()
  const now = useNow()
  const elapsed = elapsedMs(capture, now)
  const isRunning = capture.status === 'running'
  const isStopping = stop.isPending || capture.stopRequestedAt !== null
  const reason = reasonWords(capture.terminationReason, capture.terminationDetail)
  return (
    <header className="capture-header">
      <div className="title-row">
        <h1 title={capture.id}>
          {capture.reasonText === null ? `Capture ${shortId(capture.id)}` : inert(capture.reasonText)}
        </h1>
        <p className="capture-status" role="status">
          <Mark tone={CAPTURE_TONE[capture.status]} text={capture.status} />
          {reason && <span> {reason}</span>}
        </p>
        <span className="actions">
          {role !== undefined && mayDo(role, 'capture.export') ? (
            <ExportMenu captureId={capture.id} choice={choice} />
          ) : (
            <span className="quiet">Viewers cannot export</span>
          )}
          {isRunning && role !== undefined && mayDo(role, 'capture.stop') && (
            <button type="button" className="stop" disabled={isStopping} onClick={() => stop.mutate(capture.id)}>
              {isStopping ? 'Stopping…' : 'Stop'}
            </button>
          )}
        </span>
      </div>
      {stop.error ? <ErrorNotice error={stop.error} what="The capture was not stopped" /> : null}
      <dl className="facts">
        <div>
          <dt>Lines stored</dt>
          <dd>{formatCount(capture.lineCount)}</dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>
            {formatBytes(capture.byteCount)} <span className="quiet">of {formatBytes(capture.byteCap)}</span>
          </dd>
        </div>
        <div>
          <dt>Time</dt>
          <dd>
            {elapsed === null ? 'not begun' : formatDuration(elapsed)}{' '}
            <span className="quiet">of {formatDuration(capture.durationLimitMs)}</span>
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Ago at={capture.startedAt ?? capture.createdAt} />
          </dd>
        </div>
        {capture.startSkewMs !== null && (
          <div>
            <dt>Began within</dt>
            <dd>{formatDuration(capture.startSkewMs)}</dd>
          </div>
        )}
        <div>
          <dt>Redaction</dt>
          <dd>
            policy {capture.policyLevel}: {POLICY_WORDS[capture.policyLevel]}
          </dd>
        </div>
      </dl>
    </header>
  )
}
