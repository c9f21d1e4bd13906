import type { ConnectionState } from '../api.ts'
import { useLive } from '../live-context.ts'
import { Mark, type Tone } from '../ui/mark.tsx'
import { useStore } from '../ui/store.ts'

const SHOWN: Record<ConnectionState, { tone: Tone; text: string }> = {
  connecting: { tone: 'off', text: 'Connecting' },
  live: { tone: 'good', text: 'Live' },
  lost: { tone: 'bad', text: 'Connection lost, trying again' },
}

/** Whether this page hears the control plane. */
export const ConnectionMark = () => {
  const { tone, text } = SHOWN[useStore(useLive().state)]
  return (
    <span className="connection" role="status">
      <Mark tone={tone} text={text} />
    </span>
  )
}
