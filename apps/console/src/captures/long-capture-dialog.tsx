import { addressOf } from '../targets/target-words.ts'
import { Dialog } from '../ui/dialog.tsx'
import { formatDuration } from '../ui/units.ts'
import type { Prospect } from './preflight.ts'

/** Servers that the dialog names. */
const NAMED = 8

interface LongCaptureDialogProps {
  durationMs: number
  prospects: readonly Prospect[]
  onClose: () => void
  onConfirm: () => void
}

/** Asks whether a long capture is meant, and says of which servers it is. */
export const LongCaptureDialog = ({ durationMs, prospects, onClose, onConfirm }: LongCaptureDialogProps) => {
  const ready = prospects.filter(({ willTakePart }) => willTakePart)
  const length = formatDuration(durationMs)
  return (
    <Dialog title={`Capture for ${length}?`} onClose={onClose} onSubmit={onConfirm}>
      <p>
        For up to {length} {ready.length === 1 ? 'this server formats' : `these ${ready.length} servers format`} every
        command for the daemon. It can be stopped at any time.
      </p>
      <ul className="preflight-parts">
        {ready.slice(0, NAMED).map(({ target }) => (
          <li key={target.id}>
            <code>{addressOf(target)}</code>
          </li>
        ))}
        {ready.length > NAMED && <li>and {ready.length - NAMED} more</li>}
      </ul>
      <p className="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="primary">
          Start for {length}
        </button>
      </p>
    </Dialog>
  )
}
