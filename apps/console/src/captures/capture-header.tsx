import { mayDo, type Capture, type ExportFormat, type Role } from '@sonde/contracts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { inert } from '../ui/inert.ts'
import { Mark } from '../ui/mark.tsx'
import { Ago, useNow } from '../ui/time.tsx'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { CAPTURE_TONE, elapsedMs, POLICY_WORDS, reasonWords } from './capture-words.ts'
import { useStopCapture } from './queries.ts'

/** How a capture stands, and what can be done with it. */
export const CaptureHeader = ({ capture, role }: { capture: Capture; role: Role | undefined }) => {
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
            <ExportLinks captureId={capture.id} />
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

/** By name and not from the contracts' table, which would bring all their schemas into the page's script. */
const EXPORTS: readonly (readonly [ExportFormat, string])[] = [
  ['raw', 'raw'],
  ['jsonl', 'JSON lines'],
  ['csv', 'CSV'],
  ['parquet', 'Parquet'],
]

const ExportLinks = ({ captureId }: { captureId: string }) => (
  <>
    {EXPORTS.map(([format, words]) => (
      <a key={format} className="button" href={`/export/captures/${captureId}?format=${format}`} download>
        Export {words}
      </a>
    ))}
  </>
)
