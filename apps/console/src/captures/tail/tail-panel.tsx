import type { Capture } from '@sonde/contracts'
import { useEffect, useState } from 'react'
import { adviceFor } from '../../error-advice.ts'
import { Mark, type Tone } from '../../ui/mark.tsx'
import { inert } from '../../ui/inert.ts'
import { useStore } from '../../ui/store.ts'
import { formatCount, zoneName } from '../../ui/units.ts'
import { columnsText } from '../capture-view.ts'
import type { LineChoice } from '../line-choice.ts'
import type { ChangeView } from '../filter/filter-bar.tsx'
import { ColumnChoice } from './column-choice.tsx'
import { tailNotices } from './tail-notices.ts'
import { TailRows } from './tail-rows.tsx'
import { isTailOver, type TailStatus } from './tail-status.ts'
import type { Tail, TailView } from './tail-store.ts'
import { useTail } from './use-tail.ts'

const SHOWN: Record<TailStatus, { tone: Tone; text: string }> = {
  connecting: { tone: 'off', text: 'connecting' },
  streaming: { tone: 'busy', text: 'streaming' },
  paused: { tone: 'warn', text: 'paused' },
  history_complete: { tone: 'good', text: 'all lines read' },
  capture_ended: { tone: 'good', text: 'capture ended' },
  error: { tone: 'bad', text: 'stopped by an error' },
  closed: { tone: 'off', text: 'closed' },
}

interface TailPanelProps {
  capture: Capture
  choice: LineChoice
  onChange: ChangeView
}

/** The chosen lines of a capture as they are stored. */
export const TailPanel = (props: TailPanelProps) => {
  const { filter, segments } = props.choice
  const tail = useTail({ captureId: props.capture.id, filter, segments })
  return tail && <OpenTail tail={tail} {...props} />
}

const OpenTail = ({ tail, capture, choice, onChange }: TailPanelProps & { tail: Tail }) => {
  const view = useStore(tail.view)
  const [isFollowing, setFollowing] = useState(true)
  const isPaused = view.status === 'paused'
  const toggle = isPaused ? tail.resume : tail.pause
  useShortcuts({ p: toggle, f: () => setFollowing((before) => !before) })
  const { tone, text } = SHOWN[view.status]
  // Of the moment at which the tail was opened.
  const [linesBefore] = useState(() => (capture.status === 'running' ? linesOf(capture, choice.segments) : 0))
  return (
    <section className="tail" aria-label="Tail">
      <div className="tail-bar">
        <span role="status">
          <Mark tone={tone} text={text} />
        </span>
        <button
          type="button"
          onClick={toggle}
          disabled={isTailOver(view.status)}
          aria-keyshortcuts="p"
          title="Key p. Nothing is lost: lines are stored, and resuming goes on after the last one shown."
        >
          {isPaused ? 'Resume' : 'Pause'}
        </button>
        <label className="check" title="Key f">
          <input type="checkbox" checked={isFollowing} onChange={({ target }) => setFollowing(target.checked)} /> Follow
        </label>
        <ColumnChoice columns={choice.columns} onChange={(columns) => onChange({ columns: columnsText(columns) })} />
        <TailCount view={view} />
        <span className="quiet zone">times in {zoneName()}</span>
      </div>
      {view.error && (
        <div className="notice notice-bad" role="alert">
          <p>
            <strong>Lines come no more.</strong> {inert(view.error.message)} {adviceFor(view.error.code)}
          </p>
          <p className="quiet">
            <code>{inert(view.error.code)}</code>
          </p>
        </div>
      )}
      {tailNotices(capture, linesBefore).map((notice) => (
        <p key={notice} className="tail-notice">
          {notice}
        </p>
      ))}
      <TailRows
        capture={capture}
        view={view}
        columns={choice.columns}
        isNarrowed={choice.filter !== '' || choice.segments.length > 0}
        isFollowing={isFollowing}
        onFollow={setFollowing}
      />
    </section>
  )
}

const linesOf = (capture: Capture, segments: readonly number[]): number =>
  capture.segments
    .filter(({ segmentNo }) => segments.length === 0 || segments.includes(segmentNo))
    .reduce((total, { lineCount }) => total + lineCount, 0)

const TailCount = ({ view: { received, rows, trimmed } }: { view: TailView }) => (
  <span className="quiet" data-testid="tail-count">
    {formatCount(received)} received
    {trimmed > 0 && `, the newest ${formatCount(rows.length)} kept here; all are stored`}
  </span>
)

/** Single keys that act while nothing is being typed or chosen. */
const useShortcuts = (keys: Record<string, () => void>): void => {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target } = event
      const isTyping = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return
      keys[event.key]?.()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  })
}
