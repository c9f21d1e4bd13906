import { type Capture, type CaptureStartResult, type CaptureStatus, type Segment } from '@sonde/contracts'
import { plainText } from './print/plain-text.ts'
import { print, printTable, toned } from './print/output.ts'
import type { Tone } from './print/tone.ts'
import { formatBytes, formatCount, formatDuration, formatInstant } from './print/units.ts'

export const CAPTURE_TONES: Record<CaptureStatus, Tone> = {
  running: 'strong',
  completed: 'good',
  truncated: 'warning',
  partial: 'warning',
  failed: 'bad',
}

/** Whether a capture that ended holds what was asked for, up to its own caps. */
export const isWhole = ({ status }: Capture): boolean => status === 'completed' || status === 'truncated'

/** Where a segment records. */
const addressOf = ({ targetHost, targetPort }: Segment): string => `${plainText(targetHost)}:${targetPort}`

const because = (reason: string | null, detail: string | null): string =>
  [reason, detail].filter((text) => text !== null && text !== '').join(': ')

/** What a start could not cover, one line a server. */
export const coverageLines = ({ requested, accepted, missing }: CaptureStartResult['coverage'], capture: Capture) => {
  if (missing.length === 0) return [`${accepted} of ${requested} servers take part.`]
  const addressById = new Map(capture.segments.map((segment) => [segment.targetId, addressOf(segment)]))
  return [
    `${accepted} of ${requested} servers take part. Missing:`,
    ...missing.map(
      ({ targetId, reason, detail }) =>
        `  ${addressById.get(targetId) ?? targetId}  ${plainText(because(reason, detail))}`,
    ),
  ]
}

/** A capture with its segments, for standard output. */
export const printCapture = async (capture: Capture): Promise<void> => {
  const state = toned(capture.status, CAPTURE_TONES[capture.status])
  const why = because(capture.terminationReason, capture.terminationDetail)
  const duration = capture.durationMs === null ? '' : ` in ${formatDuration(capture.durationMs)}`
  await print(`${capture.id}  ${state}${why === '' ? '' : `  ${plainText(why)}`}`)
  await print(`${formatCount(capture.lineCount)} lines, ${formatBytes(capture.byteCount)}${duration}`)
  await print(
    `started ${formatInstant(capture.startedAt ?? capture.createdAt)}, limits: ` +
      `${formatDuration(capture.durationLimitMs)}, ${formatBytes(capture.byteCap)}, ${formatCount(capture.lineCap)} lines`,
  )
  if (capture.reasonText !== null) await print(`reason: ${plainText(capture.reasonText)}`)
  await print(policyNote(capture))
  await printTable(
    [
      { title: '#', align: 'right' },
      { title: 'SERVER' },
      { title: 'STATUS' },
      { title: 'STORAGE' },
      { title: 'LINES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'DROPPED', align: 'right' },
      { title: 'ENDED BY', shrinks: true },
    ],
    capture.segments.map((segment) => [
      String(segment.segmentNo),
      addressOf(segment) + syntheticMark(segment),
      { text: segment.status, tone: toneOf(segment) },
      storageOf(segment),
      formatCount(segment.lineCount),
      formatBytes(segment.byteCount),
      formatCount(segment.counters.dropped),
      because(segment.terminationReason, segment.terminationDetail) || '-',
    ]),
  )
}

const syntheticMark = ({ targetKind }: Segment): string => (targetKind === 'synthetic' ? ' (synthetic)' : '')

const storageOf = ({ storage, missing }: Segment): string =>
  missing === null || missing.length === 0
    ? storage
    : `${storage}, missing ${missing.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(' ')}`

const toneOf = ({ status }: Segment): Tone => {
  switch (status) {
    case 'completed':
      return 'good'
    case 'failed':
    case 'lost':
      return 'bad'
    case 'truncated':
    case 'incomplete':
    case 'skipped':
      return 'warning'
    case 'pending':
    case 'opening':
    case 'running':
    case 'closing':
      return 'strong'
  }
}

/** What the values in the lines are. */
export const policyNote = ({ policyLevel, policyRevision }: Capture): string =>
  `values: as the servers printed them (redaction policy ${policyRevision}, level ${policyLevel})`

/** The state of a running capture, a line for the whole and one for each segment, plain. */
export const captureProgress = (
  capture: Capture,
  before: Capture | undefined,
  { elapsedMs, now }: { elapsedMs: number; now: number },
): string[] => {
  const since = Date.parse(capture.startedAt ?? capture.createdAt)
  const ran = Math.min(Math.max(0, now - since), capture.durationLimitMs)
  const recorded = capture.segments.reduce((sum, { counters }) => sum + counters.recorded, 0)
  const head = `${formatDuration(ran)} of ${formatDuration(capture.durationLimitMs)}, ${formatCount(recorded)} lines`
  const width = Math.max(0, ...capture.segments.map((segment) => addressOf(segment).length))
  const lines = capture.segments.map((segment) => {
    const { recorded: count, recordedBytes, dropped } = segment.counters
    const earlier = before?.segments.find(({ segmentNo }) => segmentNo === segment.segmentNo)
    const rate = earlier === undefined || elapsedMs <= 0 ? 0 : ((count - earlier.counters.recorded) * 1000) / elapsedMs
    return [
      `  ${addressOf(segment).padEnd(width)}`,
      segment.status.padEnd(10),
      `${formatCount(count)} lines`.padStart(14),
      formatBytes(recordedBytes).padStart(9),
      `${formatCount(Math.max(0, Math.round(rate)))}/s`.padStart(8),
      segment.lagMs === null ? '' : `lag ${formatDuration(segment.lagMs)}`,
      dropped > 0 ? `${formatCount(dropped)} dropped` : '',
    ]
      .join('  ')
      .trimEnd()
  })
  return [head, ...lines]
}
