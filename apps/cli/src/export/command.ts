import { pipeline } from 'node:stream/promises'
import type { Writable } from 'node:stream'
import { ExportFormat, RedactionLevel, SondeError } from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { Interrupted, LocalFailure, UsageError } from '../core/failure.ts'
import { interruptSignal } from '../core/interrupt.ts'
import { filterValue, idValue, segmentsValue, withExamples, type CommonFlags } from '../core/options.ts'
import { LiveLines } from '../print/live-lines.ts'
import { note, printJson, write } from '../print/output.ts'
import { plainText } from '../print/plain-text.ts'
import { formatBytes, formatDuration } from '../print/units.ts'
import { namedAs, writeOutput } from './output-file.ts'
import { PartFile } from './part-file.ts'
import { ExportCount, formatProgress, fractionOf } from './progress.ts'
import { requestExport, type ExportAnswer, type ExportWanted } from './request-export.ts'

interface ExportFlags extends CommonFlags {
  format: ExportFormat
  filter?: string
  segments?: string
  output?: string
  resume?: boolean
  gzip?: boolean
}

const DRAW_MS = 200

/** Adds `sonde export`. */
export const addExportCommand = (program: Command): void => {
  withExamples(
    program
      .command('export')
      .description('write the lines of a capture to a file, or to standard output')
      .argument('<capture>', 'id of the capture', idValue)
      .addOption(
        new Option('--format <format>', 'raw: as stored; replay: what memtier_benchmark --monitor-input reads')
          .choices(Object.values(ExportFormat))
          .default('raw'),
      )
      .option(
        '--filter <filter>',
        'only the lines that match, such as "cmd:GET key:user:*" (docs/filters.md)',
        filterValue,
      )
      .option('--segments <numbers>', 'only these segments: 0,2', segmentsValue)
      .option('-o, --output <file>', 'file to write, or - for standard output (the default)')
      .option('--resume', 'with --output: keep what has come when it breaks off, and go on behind it')
      .option('--gzip', 'compress it on the way, for a slow link')
      .option('--url <url>', 'control plane to call (SONDE_URL)')
      .option('--token <token>', 'token to call with; SONDE_TOKEN keeps it out of process lists')
      .option('--json', 'with --output: print what was written as JSON')
      .action(exportCapture),
    'sonde export 01930f2e-7c1a-7a00-8000-0123456789ab --format parquet -o capture.parquet --resume',
    'sonde export 01930f2e-7c1a-7a00-8000-0123456789ab --filter "cmd:SET key:cart:*" | wc -l',
  )
}

const exportCapture = async (captureId: string, flags: ExportFlags): Promise<void> => {
  const { format, filter, segments, gzip = false, resume = false } = flags
  const output = flags.output === '-' ? undefined : flags.output
  if (output === '') throw new UsageError('--output is the name of a file, or - for standard output.')
  if (resume && output === undefined) throw new UsageError('--resume goes with --output FILE.')
  const wanted = { captureId, format, filter, segments, gzip }
  const job = { wanted, flags, signal: interruptSignal() }
  const started = performance.now()
  if (output === undefined) return await toStandardOutput(job)
  const { answer, count } = await (resume ? toPartFile(job, output) : toFile(job, output))
  const took = formatDuration(performance.now() - started)
  const { facts } = answer
  if (flags.json === true) await printJson({ file: output, format, bytes: count.bytes, export: facts })
  else note(`${plainText(output)}: ${formatBytes(count.bytes)} in ${took}`)
  if (flags.json !== true && format === ExportFormat.replay && facts.policy.level !== RedactionLevel.none) {
    note(`Lines with masked arguments are left out of it: the capture is redacted (level ${facts.policy.level}).`)
  }
  if (facts.gaps.count > 0 && flags.json !== true)
    note(`Lines are missing in it at ${facts.gaps.count} places: sonde capture show`)
}

interface Job {
  wanted: ExportWanted
  flags: ExportFlags
  signal: AbortSignal
}

interface Written {
  answer: ExportAnswer
  count: ExportCount
}

const toStandardOutput = async ({ wanted, flags, signal }: Job): Promise<void> => {
  const { body } = await requestExport(wanted, flags, signal)
  const count = new ExportCount()
  const writer = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) await write(chunk)
  }
  await whole(() => pipeline(body, count, writer, { signal }), { count, signal, advice: 'Try again.' })
}

const toFile = async ({ wanted, flags, signal }: Job, output: string): Promise<Written> => {
  const answer = await requestExport(wanted, flags, signal)
  const count = new ExportCount()
  const fill = (stream: Writable) => drawn(answer, count, () => pipeline(answer.body, count, stream, { signal }))
  const advice = 'Try again; with --resume an export can go on where it broke off.'
  await whole(() => writeOutput({ path: output, signal, fill }), { count, signal, advice })
  return { answer, count }
}

const toPartFile = async ({ wanted, flags, signal }: Job, output: string): Promise<Written> => {
  const part = await PartFile.at(output, wanted)
  const before = await part.beginning()
  const resume = before && { cursor: before.cursor, offset: before.offset, sha256: before.sha256 }
  const answer = await requestExport({ ...wanted, resume }, flags, signal)
  const count = new ExportCount(before)
  if (before !== undefined) note(`Going on behind ${formatBytes(before.offset)}.`)
  const advice = 'The same command goes on from there.'
  await whole(
    async () => {
      const stream = await part.open(answer.facts, before !== undefined).catch((error: unknown) => {
        throw namedAs(error, output)
      })
      await drawn(answer, count, () => pipeline(answer.body, count, stream, { signal }))
    },
    { count, signal, advice },
  )
  await part.finish()
  return { answer, count }
}

/** Fails with words for people when an export does not come to its end. */
const whole = async (
  run: () => Promise<void>,
  { count, signal, advice }: { count: ExportCount; signal: AbortSignal; advice: string },
): Promise<void> => {
  try {
    await run()
  } catch (error) {
    if (signal.aborted) throw new Interrupted()
    if (error instanceof SondeError || (error instanceof Error && 'code' in error && 'syscall' in error)) throw error
    throw new LocalFailure(`The export broke off after ${formatBytes(count.bytes)}. ${advice}`, { cause: error })
  }
}

/** Shows how far it is, on a terminal. */
const drawn = async ({ facts }: ExportAnswer, count: ExportCount, run: () => Promise<void>): Promise<void> => {
  using live = new LiveLines(process.stderr)
  const started = performance.now()
  const from = fractionOf(facts, count) ?? 0
  const draw = (): void => {
    const pace = { bytes: count.bytes, ms: performance.now() - started, from }
    live.draw([formatProgress(fractionOf(facts, count), pace)])
  }
  const drawing = setInterval(draw, DRAW_MS)
  try {
    await run()
  } finally {
    clearInterval(drawing)
  }
}
