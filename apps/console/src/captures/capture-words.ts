import type { Capture, CaptureStatus, CaptureSummary, SegmentStatus, SegmentStorage } from '@sonde/contracts'
import { inert } from '../ui/inert.ts'
import type { Tone } from '../ui/mark.tsx'

export const CAPTURE_TONE: Record<CaptureStatus, Tone> = {
  running: 'busy',
  completed: 'good',
  truncated: 'warn',
  partial: 'warn',
  failed: 'bad',
}

export const CAPTURE_STATUSES = Object.keys(CAPTURE_TONE) as CaptureStatus[]

export const SEGMENT_TONE: Record<SegmentStatus, Tone> = {
  pending: 'off',
  opening: 'off',
  running: 'busy',
  closing: 'busy',
  completed: 'good',
  truncated: 'warn',
  incomplete: 'warn',
  failed: 'bad',
  lost: 'bad',
  skipped: 'off',
}

export const STORAGE_TONE: Record<SegmentStorage, Tone> = {
  none: 'off',
  open: 'off',
  reconciling: 'busy',
  complete: 'good',
  incomplete: 'bad',
}

const REASONS: Record<string, string> = {
  duration_cap: 'its time was over',
  manual_stop: 'stopped by hand',
  source_ended: 'the source ended',
  byte_cap: 'the byte cap was reached',
  line_cap: 'the line cap was reached',
  overrun: 'more came than the daemon could keep',
  impact_limit: 'reading cost the server more than is allowed',
  source_closed: 'the server closed the connection',
  source_error: 'reading failed',
  monitor_open_failed: 'MONITOR could not be opened',
  policy_not_applied: 'its node does not redact by the policy of the capture',
  writer_failed: 'the daemon could not write',
  collector_lost: 'the daemon was lost',
  quorum_not_met: 'too few targets could take part',
  target_busy: 'another capture holds the target',
  role_changed: 'its role changed',
  target_unreachable: 'no node reads the target',
  no_capable_node: 'no node can capture it',
  node_offline: 'its node is offline',
  node_cordoned: 'its node is cordoned',
  node_read_only: 'its node is below the version floor',
  target_unhealthy: 'the target is unhealthy',
}

/** Why something ended, with the system's own words; empty while there is no reason. */
export const reasonWords = (reason: string | null, detail: string | null): string => {
  if (reason === null) return ''
  const words = REASONS[reason] ?? reason
  return inert(detail === null || detail === '' ? words : `${words}: ${detail}`)
}

/** How long it has been, or was, capturing, in milliseconds; null before it began. */
export const elapsedMs = (capture: Capture | CaptureSummary, now: number): number | null => {
  if (capture.durationMs !== null) return capture.durationMs
  if (capture.startedAt === null) return null
  const end = capture.endedAt === null ? now : new Date(capture.endedAt).getTime()
  return Math.max(0, end - new Date(capture.startedAt).getTime())
}

/** What the redaction policy of a capture means for whoever reads it. */
export const POLICY_WORDS: Record<Capture['policyLevel'], string> = {
  full: 'keys are kept, values and all else that clients chose are masked',
  values: 'values of the common writes are masked',
  keys: 'keys and values are masked',
  none: 'values are shown as the server printed them',
}
