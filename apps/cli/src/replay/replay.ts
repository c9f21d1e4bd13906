import { printMonitorLine } from '@sonde/capture-format'
import { RedactionLevel, SondeError } from '@sonde/contracts'
import { Interrupted, LocalFailure, UsageError } from '../core/failure.ts'
import { interruptSignal } from '../core/interrupt.ts'
import type { CommonFlags } from '../core/options.ts'
import { requestExport } from '../export/request-export.ts'
import { LiveLines } from '../print/live-lines.ts'
import { note, print } from '../print/output.ts'
import { plainLatin1 } from '../print/plain-text.ts'
import { counted, formatCount, formatDuration } from '../print/units.ts'
import type { ReplayCommand } from './classify.ts'
import { compileDeclared } from './declared.ts'
import { printReport } from './print-report.ts'
import { ReplayReport } from './report.ts'
import { runReplay } from './run-replay.ts'
import { addressOf, openTarget, parseTargetUrl, type ReplayTarget } from './target.ts'

export interface ReplayFlags extends CommonFlags {
  to?: string
  commands: string
  speed: number
  filter?: string
  segments?: string
  allowRedacted?: boolean
  show: number
  yes?: boolean
}

const DRAW_MS = 200
const SHOWN_BYTES = 400

/** What `sonde replay` does; a file of its own, since the client library takes longer to load than most commands to run. */
export const replay = async (captureId: string, flags: ReplayFlags): Promise<void> => {
  const { filter, segments, speed, allowRedacted = false, yes = false, json = false } = flags
  const isDeclared = compileDeclared(flags.commands)
  const to = flags.to ?? process.env['SONDE_REPLAY_TO']
  if (to === undefined) throw new UsageError('Say where to by --to redis://host:port, or SONDE_REPLAY_TO.')
  const url = parseTargetUrl(to)
  const signal = interruptSignal()
  const { facts, body } = await requestExport({ captureId, format: 'jsonl', filter, segments }, flags, signal)
  using _body = { [Symbol.dispose]: () => void body.destroy() }
  const { level } = facts.policy
  if (level !== RedactionLevel.none && !allowRedacted) {
    throw new UsageError(
      `The capture is redacted (level ${level}): what is masked cannot be sent as it was. --allow-redacted sends made-up arguments of the same length.`,
    )
  }
  await using target = await openTarget(url)
  const options = { isDeclared, allowMasked: allowRedacted, isCluster: target.isCluster }
  const report = new ReplayReport()
  const where = `${addressOf(url)}${target.isCluster ? ', a cluster' : ''}`
  const started = performance.now()
  const shown: ReplayCommand[] = []
  const job = { lines: body, options, speed, signal, report }
  try {
    if (yes) await watched(report, () => runReplay({ ...job, target: target satisfies ReplayTarget }))
    else await runReplay({ ...job, onCommand: (command) => void (shown.length < flags.show && shown.push(command)) })
  } catch (error) {
    if (report.sent > 0 && yes)
      await printReport(report, { isSent: true, speed, ms: performance.now() - started, where, json })
    if (signal.aborted) throw new Interrupted()
    if (error instanceof LocalFailure || error instanceof SondeError) throw error
    throw new LocalFailure('The capture could not be read to its end. Try again.', { cause: error })
  }
  if (!json) for (const command of shown) await print(shownLine(command))
  await printReport(report, { isSent: yes, speed, ms: performance.now() - started, where, json })
  if (!yes && !json)
    note(
      `Nothing was sent. --yes sends ${counted(report.sent, 'command')}, of which ${formatCount(report.writes)} may write.`,
    )
}

const shownLine = ({ args, db, eventUs }: ReplayCommand): string => {
  const line = Buffer.from(printMonitorLine({ eventUs, db: String(db), source: '', args }))
  const text = plainLatin1(line.toString('latin1', line.indexOf('"'), line.indexOf('"') + SHOWN_BYTES))
  return `db ${db}  ${text}${line.length - line.indexOf('"') > SHOWN_BYTES ? '…' : ''}`
}

/** Shows how far it is, on a terminal. */
const watched = async (report: ReplayReport, run: () => Promise<unknown>): Promise<void> => {
  using live = new LiveLines(process.stderr)
  const started = performance.now()
  const draw = (): void => {
    const took = formatDuration(performance.now() - started)
    live.draw([`${counted(report.sent, 'command')} sent in ${took}, ${counted(report.errors, 'error')}`])
  }
  const drawing = setInterval(draw, DRAW_MS)
  try {
    await run()
  } finally {
    clearInterval(drawing)
  }
}
