import type { Capture, Target } from '@sonde/contracts'
import { followCapture } from '../capture-follow.ts'
import { policyNote } from '../capture-view.ts'
import type { Connection } from '../core/connect.ts'
import { failureOf, Interrupted } from '../core/failure.ts'
import { plainText } from '../print/plain-text.ts'
import { counted, formatBytes, formatCount, formatDuration } from '../print/units.ts'
import type { Processes } from './processes.ts'

export interface FirstCaptureOptions {
  connection: Connection
  sessionId: string
  targets: readonly Target[]
  durationMs: number
  processes: Processes
  /** The capture of a run that was killed; it may still hold the servers. */
  earlierId: string | undefined
  signal: AbortSignal
  say: (line: string) => void
}

/** Without a terminal a line comes so often, so that a log shows that it goes on. */
const LINE_EVERY_MS = 5_000
const STOP_WAIT_MS = 3_000

/** Captures all targets, shows how it goes, and returns the result; undefined when it could not start, which is told. */
export const runFirstCapture = async (options: FirstCaptureOptions): Promise<Capture | undefined> => {
  const { connection, signal, say, durationMs, processes } = options
  const started = await start(options)
  if (started === undefined) return undefined
  const { id } = started
  processes.noteCapture(id)
  say(`Capturing ${counted(options.targets.length, 'server')} for ${formatDuration(durationMs)} (${id})`)
  say(`  ${policyNote(started)}; "sonde session redaction" changes it`)
  const begun = performance.now()
  let told = begun
  try {
    const ended = await followCapture(id, {
      connection,
      signal,
      show: true,
      onProgress: (capture) => {
        if (process.stderr.isTTY || performance.now() - told < LINE_EVERY_MS) return
        told = performance.now()
        // Past its time the servers end one by one, which is no news.
        if (told - begun < durationMs) say(`  ${progressLine(capture)}`)
      },
    })
    for (const line of resultLines(ended)) say(line)
    return ended
  } catch (error) {
    if (error instanceof Interrupted) await stop(connection, id)
    throw error
  } finally {
    processes.noteCapture(undefined)
  }
}

const start = async (options: FirstCaptureOptions): Promise<Capture | undefined> => {
  const { connection, sessionId, targets, durationMs, say, earlierId } = options
  if (earlierId !== undefined) await stop(connection, earlierId)
  const scope = { kind: 'targets' as const, targetIds: targets.map(({ id }) => id) }
  try {
    const { capture } = await connection.call((rpc) =>
      rpc.captures.start.mutate({ sessionId, scope, durationMs, reason: 'first capture of sonde up' }),
    )
    return capture
  } catch (error) {
    const { code, message } = failureOf(error)
    if (code === 'control_plane.unreachable') throw error
    say(`No first capture: ${plainText(message)} (${plainText(code)})`)
    return undefined
  }
}

/** The next start finds the servers free. Nothing depends on it, so a failure is not told. */
const stop = async (connection: Connection, id: string): Promise<void> => {
  await connection.call((rpc) => rpc.captures.stop.mutate({ id, waitMs: STOP_WAIT_MS })).catch(() => {})
}

const progressLine = ({ segments }: Capture): string => {
  const lines = segments.reduce((sum, { counters }) => sum + counters.recorded, 0)
  const running = segments.filter(({ status }) => status === 'running').length
  return `${formatCount(lines)} lines so far, ${running} of ${counted(segments.length, 'server')} recording`
}

const resultLines = (capture: Capture): string[] => {
  const whole = capture.segments.filter(({ storage }) => storage === 'complete').length
  const size = `${formatCount(capture.lineCount)} lines, ${formatBytes(capture.byteCount)}`
  return [
    `Capture ${capture.status}: ${size}, ${whole} of ${counted(capture.segments.length, 'server')} stored whole`,
    ...capture.segments
      .filter(({ status }) => status !== 'completed' && status !== 'truncated')
      .map(
        ({ targetHost, targetPort, status, terminationReason, terminationDetail }) =>
          `  ${plainText(`${targetHost}:${targetPort} ${status}: ${[terminationReason, terminationDetail].filter(Boolean).join(': ')}`)}`,
      ),
  ]
}
