import { printMonitorLine } from '@sonde/capture-format'
import { RedactionLevel, SondeError } from '@sonde/contracts'
import type { Command } from 'commander'
import { Interrupted, LocalFailure, UsageError } from '../core/failure.ts'
import { interruptSignal } from '../core/interrupt.ts'
import { filterValue, idValue, integerValue, segmentsValue, withExamples, type CommonFlags } from '../core/options.ts'
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

interface ReplayFlags extends CommonFlags {
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

/** Adds `sonde replay`. */
export const addReplayCommand = (program: Command): void => {
  withExamples(
    program
      .command('replay')
      .description(
        'send the commands of a capture to a server or a cluster; without --yes only tell what would be sent',
      )
      .argument('<capture>', 'id of the capture', idValue)
      .option(
        '--to <url>',
        'redis://[user:password@]host[:port] (SONDE_REPLAY_TO keeps a password out of process lists)',
      )
      .option('--commands <names>', 'only these commands and categories: get,mget,@write', '@read')
      .option('--speed <factor>', 'how much faster than captured: 0.5, 2, or max for as fast as it goes', speedValue, 1)
      .option('--filter <filter>', 'only the lines that match, such as "key:cart:*" (docs/filters.md)', filterValue)
      .option('--segments <numbers>', 'only these segments: 0,2', segmentsValue)
      .option(
        '--allow-redacted',
        'replay a redacted capture, with made-up arguments of the same length for those that are masked',
      )
      .option('--show <count>', 'without --yes: how many of the first commands to show', integerValue(0, 10_000), 10)
      .option('--yes', 'send them; what writes, too, if --commands has it')
      .option('--url <url>', 'control plane to call (SONDE_URL)')
      .option('--token <token>', 'token to call with; SONDE_TOKEN keeps it out of process lists')
      .option('--json', 'print the report as JSON')
      .action(replay),
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379',
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379 --speed 2 --yes',
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379 --commands @read,set,del --speed max --yes',
  )
}

const speedValue = (text: string): number => {
  if (text === 'max') return Infinity
  const speed = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : 0
  if (speed > 0) return speed
  throw new UsageError('--speed is a factor such as 0.5 or 2, or max.')
}

const replay = async (captureId: string, flags: ReplayFlags): Promise<void> => {
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
