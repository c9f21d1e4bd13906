import {
  type Capture,
  type CaptureStartResult,
  type CaptureStatus,
  type Counters,
  type Segment,
} from '@sonde/contracts'
import { plainText } from './print/plain-text.ts'
import { print, printTable, toned } from './print/output.ts'
import type { Tone } from './print/tone.ts'
import { seamLines } from './seam-view.ts'
import { counted, formatBytes, formatCount, formatDuration, formatInstant } from './print/units.ts'

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
  const head = `${accepted} of ${counted(requested, 'server')} ${accepted === 1 ? 'takes' : 'take'} part.`
  if (missing.length === 0) return [head]
  const addressById = new Map(capture.segments.map((segment) => [segment.targetId, addressOf(segment)]))
  return [
    `${head} Missing:`,
    ...missing.map(
      ({ targetId, reason, detail }) =>
        `  ${addressById.get(targetId) ?? targetId}  ${plainText(because(reason, detail))}`,
    ),
    ...(missing.some(({ reason }) => reason === 'target_busy')
      ? ['"sonde capture targets" shows which capture holds a busy server.']
      : []),
  ]
}

/** A capture with its segments, for standard output. */
export const printCapture = async (capture: Capture): Promise<void> => {
  const state = toned(capture.status, CAPTURE_TONES[capture.status])
  const why = because(capture.terminationReason, capture.terminationDetail)
  const duration = capture.durationMs === null ? '' : ` in ${formatDuration(capture.durationMs)}`
  await print(`${capture.id}  ${state}${why === '' ? '' : `  ${plainText(why)}`}`)
  await print(`${counted(capture.lineCount, 'line')}, ${formatBytes(capture.byteCount)}${duration}`)
  await print(
    `started ${formatInstant(capture.startedAt ?? capture.createdAt)}, limits: ` +
      `${formatDuration(capture.durationLimitMs)}, ${formatBytes(capture.byteCap)}, ${counted(capture.lineCap, 'line')}`,
  )
  if (capture.startSkewMs !== null) await print(`began within ${formatDuration(capture.startSkewMs)} of each other`)
  if (capture.reasonText !== null) await print(`reason: ${plainText(capture.reasonText)}`)
  for (const line of selectionLines(capture)) await print(line)
  await print(policyNote(capture))
  await print(expiryNote(capture))
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
  for (const line of seamLines(capture.segments)) await print(line)
}

type Selected = Pick<Capture, 'filter' | 'sampling'> & {
  segments: readonly { counters: Pick<Counters, 'filtered' | 'sampledOut'> }[]
}

/** Which lines are recorded, and how many were not; nothing where all are. */
export const selectionLines = ({ filter, sampling, segments }: Selected): string[] => {
  if (filter === null && sampling === null) return []
  const sum = (name: 'filtered' | 'sampledOut'): string =>
    formatCount(segments.reduce((total, { counters }) => total + counters[name], 0))
  const oneOf = sampling && `one ${sampling.by} of ${formatCount(sampling.every)}`
  return [
    ...(filter === null ? [] : [`filter: ${plainText(filter)}  (lines that did not match: ${sum('filtered')})`]),
    ...(oneOf === null ? [] : [`sample: ${oneOf}  (lines that are not in it: ${sum('sampledOut')})`]),
  ]
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

/** What a level leaves of the lines. */
export const LEVEL_WORDS: Record<Capture['policyLevel'], string> = {
  full: 'masked; keys as the servers printed them',
  values: 'those of the common writes masked, all else as the servers printed it',
  keys: 'masked, and keys too',
  none: 'as the servers printed them',
}

/** What the values in the lines are. */
export const policyNote = ({ policyLevel, policyRevision }: Capture): string =>
  `values: ${LEVEL_WORDS[policyLevel]} (redaction policy ${policyRevision}, level ${policyLevel})`

/** How long a capture is kept. */
export const expiryNote = ({ pinned, expiresAt }: Pick<Capture, 'pinned' | 'expiresAt'>): string => {
  const expiry = expiresAt === null ? 'never' : formatInstant(expiresAt)
  return pinned ? `pinned: kept whatever its expiry (${expiry})` : `expires: ${expiry}`
}

/** The state of a running capture, a line for the whole and one for each segment, plain. */
export const captureProgress = (
  capture: Capture,
  before: Capture | undefined,
  { elapsedMs, now }: { elapsedMs: number; now: number },
): string[] => {
  const since = Date.parse(capture.startedAt ?? capture.createdAt)
  const ran = Math.min(Math.max(0, now - since), capture.durationLimitMs)
  const recorded = capture.segments.reduce((sum, { counters }) => sum + counters.recorded, 0)
  const head = `${formatDuration(ran)} of ${formatDuration(capture.durationLimitMs)}, ${counted(recorded, 'line')}`
  const width = Math.max(0, ...capture.segments.map((segment) => addressOf(segment).length))
  const lines = capture.segments.map((segment) => {
    const { recorded: count, recordedBytes, dropped } = segment.counters
    const earlier = before?.segments.find(({ segmentNo }) => segmentNo === segment.segmentNo)
    const rate = earlier === undefined || elapsedMs <= 0 ? 0 : ((count - earlier.counters.recorded) * 1000) / elapsedMs
    return [
      `  ${addressOf(segment).padEnd(width)}`,
      segment.status.padEnd(10),
      counted(count, 'line').padStart(14),
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
