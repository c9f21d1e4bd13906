import { useParams } from '@tanstack/react-router'
import { useSession } from '../sessions/queries.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { CaptureHeader } from './capture-header.tsx'
import { useCapture } from './queries.ts'
import { SegmentTable } from './segment-table.tsx'
import { TailPanel } from './tail/tail-panel.tsx'

/** One capture: how it stands, its parts, and its lines as they are stored. */
export const CapturePage = () => {
  const { sessionId, captureId } = useParams({ from: '/sessions/$sessionId/captures/$captureId' })
  const capture = useCapture(captureId)
  const role = useSession(sessionId).data?.role
  const { data } = capture
  const notice = capture.error ? (
    <ErrorNotice error={capture.error} what="The capture could not be read" retry={() => void capture.refetch()} />
  ) : null
  if (!data) return notice ?? <p className="state">Loading the capture…</p>
  return (
    <div className="capture">
      {notice}
      <CaptureHeader capture={data} role={role} />
      <SegmentTable capture={data} />
      <TailPanel key={data.id} capture={data} />
    </div>
  )
}
