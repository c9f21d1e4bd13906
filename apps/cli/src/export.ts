import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ExportFormat, SondeError } from '@sonde/contracts'
import { wireErrorToSondeError } from '@sonde/client'
import { Option, type Command } from 'commander'
import { writeOutput } from './export-file.ts'
import { assertReachable } from './core/connect.ts'
import { Interrupted, LocalFailure, UsageError } from './core/failure.ts'
import { interruptSignal } from './core/interrupt.ts'
import { idValue, withExamples, type CommonFlags } from './core/options.ts'
import { loadSettings } from './core/settings.ts'
import { LiveLines } from './print/live-lines.ts'
import { note, printJson, write } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import { formatBytes, formatDuration } from './print/units.ts'

interface ExportFlags extends CommonFlags {
  format: ExportFormat
  segments?: string
  output?: string
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
        new Option('--format <format>', 'raw: as stored; jsonl: one JSON object a line')
          .choices(Object.values(ExportFormat))
          .default('raw'),
      )
      .option('--segments <numbers>', 'only these segments: 0,2')
      .option('-o, --output <file>', 'file to write, or - for standard output (the default)')
      .option('--url <url>', 'control plane to call (SONDE_URL)')
      .option('--token <token>', 'token to call with; SONDE_TOKEN keeps it out of process lists')
      .option('--json', 'with --output: print what was written as JSON')
      .action(exportCapture),
    'sonde export 01930f2e-7c1a-7a00-8000-0123456789ab --format jsonl -o capture.jsonl',
    'sonde export 01930f2e-7c1a-7a00-8000-0123456789ab | grep -c \'"SET"\'',
  )
}

const exportCapture = async (id: string, flags: ExportFlags): Promise<void> => {
  const output = flags.output === '-' ? undefined : flags.output
  if (output === '') throw new UsageError('--output is the name of a file, or - for standard output.')
  if (flags.segments !== undefined && !/^\d{1,4}(,\d{1,4})*$/.test(flags.segments)) {
    throw new UsageError('--segments takes numbers, separated by commas: 0,2')
  }
  const signal = interruptSignal()
  const started = performance.now()
  const body = await requestExport(id, flags, signal)
  const counted = new ByteCount()
  try {
    if (output === undefined) await toStandardOutput(body, counted, signal)
    else await toFile({ body, counted, signal, output })
  } catch (error) {
    if (signal.aborted) throw new Interrupted()
    if (error instanceof Error && 'code' in error && 'syscall' in error) throw error
    throw new LocalFailure(`The export broke off after ${formatBytes(counted.bytes)}. Try again.`, { cause: error })
  }
  if (output === undefined) return
  const { bytes } = counted
  const took = formatDuration(performance.now() - started)
  if (flags.json === true) await printJson({ file: output, format: flags.format, bytes })
  else note(`${plainText(output)}: ${formatBytes(bytes)} in ${took}`)
}

const requestExport = async (id: string, flags: ExportFlags, signal: AbortSignal): Promise<Readable> => {
  const { url, token } = loadSettings(flags)
  if (token === undefined) throw new SondeError('auth.token_missing')
  const query = new URLSearchParams({ format: flags.format })
  if (flags.segments !== undefined) query.set('segments', flags.segments)
  await assertReachable(url, signal)
  let answer: Response
  try {
    answer = await fetch(`${url}/export/captures/${id}?${query.toString()}`, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal,
    })
  } catch (cause) {
    signal.throwIfAborted()
    throw new SondeError('control_plane.unreachable', { message: `No control plane answers at ${url}.`, cause })
  }
  if (answer.ok && answer.body !== null) return Readable.fromWeb(answer.body)
  const wire: unknown = await answer.json().catch(() => undefined)
  throw wireErrorToSondeError(wire !== null && typeof wire === 'object' && 'error' in wire ? wire.error : undefined)
}

class ByteCount extends Transform {
  bytes = 0
  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length
    done(null, chunk)
  }
}

const toStandardOutput = async (body: Readable, counted: ByteCount, signal: AbortSignal): Promise<void> => {
  await pipeline(
    body,
    counted,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await write(chunk)
    },
    { signal },
  )
}

const toFile = async (job: { body: Readable; counted: ByteCount; signal: AbortSignal; output: string }) => {
  const { body, counted, signal, output } = job
  using live = new LiveLines(process.stderr)
  const drawing = setInterval(
    () => live.draw([`${formatBytes(counted.bytes)} of ${plainText(output)} written`]),
    DRAW_MS,
  )
  try {
    await writeOutput({
      path: output,
      signal,
      fill: (stream) => pipeline(body, counted, stream, { signal }),
    })
  } finally {
    clearInterval(drawing)
  }
}
