import { note, print, printJson, printTable } from '../print/output.ts'
import { counted, formatBytes, formatCount, formatDuration } from '../print/units.ts'
import { SkipReason } from './classify.ts'
import type { ReplayReport } from './report.ts'
import type { Spread } from './spread.ts'

const SKIP_WORDS: Record<SkipReason, string> = {
  undeclared: 'not among --commands',
  never_sent: 'about a connection, waiting, or about the server itself',
  from_script: 'made by scripts, which make them again',
  malformed: 'malformed',
  cut: 'stored in part only',
  masked: 'masked',
  database: 'of a database that the target has not',
}

export interface ReportOptions {
  /** Whether it was sent, not only counted. */
  isSent: boolean
  /** `Infinity`: as fast as it goes. */
  speed: number
  /** How long it took, in milliseconds. */
  ms: number
  where: string
  json: boolean
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100
const sharesOf = (spread: Spread) => ({
  p50: rounded(spread.atMost(0.5)),
  p99: rounded(spread.atMost(0.99)),
  max: rounded(spread.max),
})

/** Prints what was sent, or would be, what was not, and what differed from the capture. */
export const printReport = async (report: ReplayReport, options: ReportOptions): Promise<void> => {
  const { isSent, speed, ms, where, json } = options
  const plannedMs = speed === Infinity ? null : report.capturedMs / speed
  const lateness = isSent && plannedMs !== null ? sharesOf(report.lateness) : null
  const answers = isSent ? sharesOf(report.answers) : null
  if (json) {
    return await printJson({
      to: where,
      sent: isSent ? report.sent : 0,
      planned: report.sent,
      writes: report.writes,
      bytes: report.bytes,
      commands: Object.fromEntries(report.commands),
      skipped: Object.fromEntries(report.skipped),
      errors: report.errors,
      plannedMs,
      tookMs: isSent ? Math.round(ms) : null,
      latenessMs: lateness,
      answerMs: answers,
    })
  }
  const rows = [...report.commands].toSorted(([, a], [, b]) => b.sent - a.sent)
  await printTable(
    [
      { title: 'COMMAND' },
      { title: isSent ? 'SENT' : 'WOULD BE SENT', align: 'right' },
      { title: 'WRITES' },
      { title: 'ERRORS', shrinks: true },
    ],
    rows.map(([verb, { sent, writes, errors }]) => [
      verb,
      formatCount(sent),
      writes ? 'yes' : 'no',
      errorWords(errors),
    ]),
  )
  for (const [reason, count] of report.skipped) note(`${counted(count, 'line')} left out: ${SKIP_WORDS[reason]}`)
  const planned = plannedMs === null ? 'as fast as it goes' : `in ${formatDuration(plannedMs)}`
  const what = `${counted(report.sent, 'command')} (${formatBytes(report.bytes)}) to ${where}, ${planned}`
  if (!isSent) return await print(`${what}.`)
  await print(`${what}; it took ${formatDuration(ms)}, with ${counted(report.errors, 'error')}.`)
  if (lateness !== null) await print(`Late by, in ms: ${inWords(lateness)}`)
  if (answers !== null) await print(`Answered after, in ms: ${inWords(answers)}`)
}

const inWords = ({ p50, p99, max }: ReturnType<typeof sharesOf>): string => `half ${p50}, 99 % ${p99}, worst ${max}`

const errorWords = (errors: Record<string, number>): string =>
  Object.entries(errors)
    .map(([kind, count]) => `${formatCount(count)} ${kind}`)
    .join(', ')
